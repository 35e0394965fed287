"""The promotion of a proven release to the next stack, as a commit and a pull request."""
