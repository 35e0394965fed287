"""Waves of rollouts: one process takes a release through endpoints and stacks, in the order of a fleet file.

A fleet has no record of its own. How far it is, the records of its rollouts say, and the releases that the stack files
declare. So a fleet that was killed goes on from any clone, and running it again does nothing twice.
"""
