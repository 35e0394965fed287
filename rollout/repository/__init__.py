"""The clone that holds stack file and record, and its branch on origin: the lock between machines (ADR 30)."""
