"""The local Azure: ARM, the azure-native stand-in, the scoring plane. Imports nothing of the product."""
