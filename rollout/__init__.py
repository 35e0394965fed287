"""The rollout controller; today only its seam to the Pulumi engine."""
