"""The coverage page `COVERAGE.md`: what the local Azure does, what it only stores, and which tests prove it.

It reads all other packages; the server imports none of this. Written by `python -m localazure.coverage`.
"""
