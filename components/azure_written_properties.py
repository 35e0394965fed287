"""Properties that Azure ML writes into what a client sent, and that change with every operation of anybody.

A refresh takes them over into the engine's inputs, and the next preview would show their removal: after any scaling,
for ever. They are ignored one by one, so that what the az ml files say beside them is still compared.
"""

__all__ = ["WRITTEN_BY_AZURE"]

WRITTEN_BY_AZURE = (
    "properties.properties.AzureAsyncOperationUri",  # the last operation, whoever asked for it (recorded)
    'properties.properties["azureml.onlineendpointid"]',  # recorded of endpoints
)
"""Of an online endpoint or deployment; sending them again does nothing (recorded)."""
