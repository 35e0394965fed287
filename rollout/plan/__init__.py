"""What a plan means before it starts: its mistakes, its steps, what it can detect, and what it would have done.

Everything here is pure: values in, values or lines of text out. The schema of a plan is in `rollout_config.py`.
"""
