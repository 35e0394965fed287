"""Benchmarks: each measures, prints a table and returns plain numbers; none asserts a time."""
