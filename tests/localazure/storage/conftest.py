"""The blob client as a user's script makes it."""

import os

import pytest


@pytest.fixture
def connect(monkeypatch):
    """A BlobServiceClient with DefaultAzureCredential, the way a user's script makes one."""
    clients = []

    def make(azure, url, **more):
        from azure.identity import DefaultAzureCredential
        from azure.storage.blob import BlobServiceClient

        for key, value in azure.environment().items():
            if os.environ.get(key) != value:
                monkeypatch.setenv(key, value)
        credential = DefaultAzureCredential()
        service = BlobServiceClient(url, credential, **more)
        clients.extend([service, credential])
        return service

    yield make
    for client in clients:
        client.close()
