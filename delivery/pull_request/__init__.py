"""What a pull request is told: its checks, and what a merge would do to a stack."""
