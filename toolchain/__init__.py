"""Gets a virtual environment and a Pulumi CLI onto a machine that has none. Nothing else depends on it."""
