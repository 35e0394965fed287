"""What is served: one folder per model with the files `az ml` users have, their loader and publisher."""
