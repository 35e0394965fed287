"""What Azure Monitor sees of the endpoints: metrics, request logs, autoscale, and a page for people.

The numbers come from requests that were really served and processes that really ran. The package knows the data plane
only through the records that it receives, and ARM only in `scaler.py`, which reads settings and changes a deployment's
capacity.
"""
