"""Benchmarks: each measures, prints a table and returns plain numbers; no benchmark asserts a time."""
