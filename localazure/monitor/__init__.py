"""What Azure Monitor sees of the endpoints: metrics, request logs, autoscale, and a page for people.

Numbers come from requests that were really served and processes that really ran. It knows the data plane by the
records that it is handed, and ARM only where `scaler.py` reads settings and changes a deployment's capacity.
"""
