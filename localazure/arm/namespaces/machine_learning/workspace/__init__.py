"""The workspace: its network, datastores and computes."""
