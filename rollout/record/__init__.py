"""The record of one rollout: its events, the file that chains them, and the state that they add up to."""
