"""The `sluice` command: one module per group of subcommands, thin; the only package that may import all others."""
