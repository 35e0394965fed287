"""Azure Resource Manager over HTTP: reading it, and the changes that the Pulumi engine cannot make."""
