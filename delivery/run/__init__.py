"""One run of a delivery: the loop, its checkout, its starts and approvals, and what stands against it."""
