"""Whether the subscription has room for what a stack declares: the logic of `sluice preflight`."""
