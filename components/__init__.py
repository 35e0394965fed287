"""Pulumi ComponentResources, one noun per module. No Azure name, no stack config and no branching on environment here."""
