"""Taking a stack down so that its names can be used again: the logic of `sluice remove`.

The caller supplies the engine and the Azure client; this package parses no command line and finds no credentials.
"""
