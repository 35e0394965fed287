"""The pipelines of a team, as `sluice ci init` writes them."""
