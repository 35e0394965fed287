"""The files that a new team or a new endpoint starts with: the logic of `sluice new`.

It writes files of the repository, all of them or none, and never over existing ones. It reads and changes no Azure.
"""
