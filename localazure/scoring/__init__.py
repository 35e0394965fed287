"""The data plane of the local Azure: real inference servers, the environments they run in, and the router before them.

It knows nothing about ARM: the control plane passes it plain values (`specification.py`), and it returns or raises
`DeploymentFailed`. Metrics, autoscale and the HTTP server itself live elsewhere.
"""
