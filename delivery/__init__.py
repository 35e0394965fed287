"""Delivery: from a merged pull request to a proven rollout, and from there to the next stack.

The commands of `sluice release`, `sluice promote` and `sluice ci` parse and print; what they do is here.
"""
