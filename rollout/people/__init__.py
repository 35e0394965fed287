"""What people may do to a rollout: start it, pause it, approve a step, take it back; and who they are."""
