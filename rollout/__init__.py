"""The rollout controller: today its seam to the Pulumi engine (`engine`), later decisions, gates and the record.

It knows neither the components nor the local Azure: whatever the environment points at is the cloud.
"""
