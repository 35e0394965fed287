"""One command about rollouts: its endpoint, its adapters, its ticks. `cli/` parses and prints for it."""
