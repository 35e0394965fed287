"""The evidence for and against a new colour: pure functions over counted intervals, without a clock.

`intervals` is what was measured, `e_process` is how evidence adds up; each gate has a module, and `ledger` folds
intervals into the results of all gates. The statistics are on one page: docs/statistics.md.
"""
