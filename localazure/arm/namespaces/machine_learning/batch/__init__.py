"""Batch endpoints, their deployments and the jobs that they run."""
