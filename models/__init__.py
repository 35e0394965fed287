"""The models that are served, one folder each with the files that `az ml` users have; their loader and publisher."""
