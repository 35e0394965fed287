"""A rollout for people: one sentence (`summary.py`), and one HTML file from its record (`page.py`)."""
