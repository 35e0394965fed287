"""What the scripts of users share: a client of the workspace, and where the local Azure is for management clients."""

import os
import warnings

warnings.simplefilter("ignore")

from azure.ai.ml import MLClient  # noqa: E402  # azure-ai-ml warns while it is imported
from azure.identity import DefaultAzureCredential  # noqa: E402  # likewise

SUBSCRIPTION = os.environ["AZURE_SUBSCRIPTION_ID"]
ARM = {
    "base_url": os.environ["SLUICE_LOCAL_ARM"],
    "credential_scopes": [os.environ["SLUICE_LOCAL_ARM"] + "/.default"],
}
credential = DefaultAzureCredential()
ml = MLClient(credential, SUBSCRIPTION, "team", "playground")
