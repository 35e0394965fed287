"""What is served: one folder per model with the files `az ml` users have, and the loader and publisher of those files."""
