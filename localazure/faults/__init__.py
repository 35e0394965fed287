"""Faults on command: failures of Azure that `sluice local fault` switches on, scoped by type, name and time.

`fault` and `registry` are pure; `requests`, `operations` and `scoring` apply faults to the parts of the local Azure.
"""
