"""The weights in the stack file, edited in place: everything else in the file keeps its bytes (ADR 29)."""
