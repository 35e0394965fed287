"""What people see of a rollout: the status, its events as lines, the next command, and messages to a channel."""
