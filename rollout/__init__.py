"""The rollout controller: evidence moves the weights of an endpoint, and brings them back.

It depends neither on the components nor on the local Azure; its environment decides which cloud it reaches.
`docs/architecture.md` says where a stranger begins to read.
"""
