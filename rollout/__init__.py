"""The rollout controller: today its seam to the Pulumi engine (`engine`), later its decisions, gates and record.

It depends neither on the components nor on the local Azure; its environment decides which cloud it reaches.
"""
