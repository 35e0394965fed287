"""Pulumi components, one noun per module: what a stack consists of in Azure.

Names come from `naming`, and what to declare from `assessment`, the stage before: the components act on its values
alone. `settlement.py` asks Azure once more, after an update.
"""
