"""A local Azure from outside: its folder, its server process, and the rehearsal shell.

`localazure/` is the local Azure itself; this package starts, stops and queries it, and points the Pulumi CLI, az and
the SDKs of one shell at it.
"""
