"""Pulumi components, one noun per module: what a stack consists of in Azure.

Names come from `naming`, which change is allowed from `transitions`; nothing here reads the stack config.
"""
