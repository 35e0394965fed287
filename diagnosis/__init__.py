"""What is wrong with a machine's set-up or with a stack: the logic of `sluice doctor`."""
