"""Where evidence comes from: Azure Monitor, Resource Manager, probes, checks. Adapters for `rollout/ports.py`.

`metric_answer`, `settle`, `capacity` and `saturation` are pure; the others talk to Azure or to a model.
"""
