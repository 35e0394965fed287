"""Releases: frozen, pinned, published, listed and compared."""
