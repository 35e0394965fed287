"""One tick on the ports of `rollout/ports.py`: read the record and Azure, decide, act at most once, write it down."""
