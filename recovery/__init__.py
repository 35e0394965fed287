"""What a killed or crashed `pulumi up` leaves behind, and how a stack is repaired: the logic of `sluice recover`."""
