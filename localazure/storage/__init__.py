"""The blob service of storage accounts, as azure-storage-blob uses it with tokens and SAS. No queues, tables, files."""
