"""Taking a stack down so that its names can be used again: the logic of `sluice remove`.

It drives an engine and an Azure that it is given; it parses no command line and finds no credentials.
"""
