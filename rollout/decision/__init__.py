"""What to do next, decided without clock, file or network: `decide(plan, state, evidence, now)` in `decide.py`."""
