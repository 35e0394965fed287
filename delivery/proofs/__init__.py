"""Proofs: what a rollout's record proves, read from the branch of origin that keeps it, and verified."""
