"""An endpoint as its callers see it: its address, one request, load."""
