"""The data plane of the local Azure: real inference servers, the environments they run in, and the router before them.

It knows nothing of ARM: the control plane hands it plain values (`specification.py`) and hears back success or
`DeploymentFailed`. Metrics, autoscale and the HTTP server itself live elsewhere.
"""
