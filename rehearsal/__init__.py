"""A local Azure from outside: its folder, its server process, and the shell that it is rehearsed in.

What the local Azure does is in `localazure/`; this starts, ends and asks it, and leads the Pulumi CLI, az and the SDKs
of one shell to it.
"""
