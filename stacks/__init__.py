"""A stack outside the program: what its file declares, and its names in Azure."""
