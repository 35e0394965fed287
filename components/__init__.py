"""Pulumi components, one noun per module: what a stack consists of in Azure.

Names come from `naming`. Before any resource is declared, `live.py` reads Azure and `assessment.py` checks the stack
config and the az ml files against it; the components act on the values of `declaration.py` alone.
"""
