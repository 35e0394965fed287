"""The local Azure: ARM, the azure-native stand-in, the data plane. Imports nothing of the product."""
