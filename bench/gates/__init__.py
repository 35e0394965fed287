"""How often a rollout goes back without a reason, and how soon with one: the gates beside other ways to decide.

    make bench-gates

Simulated minutes, fixed seeds; the gates are the code of `rollout/evidence`. It measures and never asserts. The table
is in docs/statistics.md.
"""
