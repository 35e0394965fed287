"""Every credential of the `sluice` command: on a laptop, in GitHub Actions, in Azure Pipelines."""
