"""Properties that Azure ML adds to what a client sent and changes with every operation, whatever client asked for it.

A refresh copies them into the engine's inputs, and every later preview would show their removal. They are ignored one
by one, so that what the az ml files say beside them is still compared.
"""

__all__ = ["WRITTEN_BY_AZURE"]

WRITTEN_BY_AZURE = (
    "properties.properties.AzureAsyncOperationUri",  # the last operation, whatever client asked for it (recorded)
    'properties.properties["azureml.onlineendpointid"]',  # recorded of endpoints
)
"""Of an online endpoint or deployment; sending them again does nothing (recorded)."""
