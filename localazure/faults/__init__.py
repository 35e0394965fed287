"""Faults on command: what may go wrong in Azure, switched on by `sluice local fault` and scoped by type, name and time.

`fault` and `registry` are pure; `requests`, `operations` and `scoring` let faults act on the parts of the local Azure.
"""
