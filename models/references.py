"""The strings by which az ml files refer to something: container images, assets of registries, placeholders.

Pure: it reads no file and does not ask a registry whether something exists.
"""

import re

MICROSOFT_REGISTRIES = frozenset({"azureml", "azureml-meta", "huggingface"})
"""Azure ML registries that Microsoft runs for everyone, in lower case; only Microsoft can assign roles there.

Sources (documented): Azure/azureml-examples, sdk/python/foundation-models ("AzureML system registry": azureml,
azureml-meta); MicrosoftDocs/azure-ai-docs, articles/machine-learning/how-to-deploy-models-from-huggingface.md
(HuggingFace). That the user-assigned identity of an endpoint needs no role there is unverified.
"""

_REGISTRY = re.compile(r"azureml://registries/(?P<name>[^/]+)/.+", re.IGNORECASE)

# The grammar of image references (distribution/reference, reference.go), without a bound on the length.
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::[0-9]+)?/)?"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_IMAGE = re.compile(rf"{_HOST}{_PART}(?:/{_PART})*(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?")

_PLACEHOLDER = re.compile(
    r"\$\{\{.*?\}\}|\$\{[^}]*\}|\$\([^)]*\)|\$[A-Za-z_]\w*"  # shell, envsubst, Azure Pipelines
    r"|\{\{.*?\}\}|#\{[^}]*\}#?"  # Jinja, Helm; the "replace tokens" tasks
    r"|<[^<>]+>|%\w+%|__[A-Za-z0-9_]+__"  # written by hand; Windows; "replace tokens"
)


def is_image(text: str) -> bool:
    """Tell whether a string can be the name of a container image."""
    return _IMAGE.fullmatch(text) is not None


def is_pinned(image: str) -> bool:
    """Tell whether an image names a version: a digest, or a tag other than `latest` (the default)."""
    match = _IMAGE.fullmatch(image)
    return match is not None and bool(match["digest"] or (match["tag"] or "latest") != "latest")


def registry_of(reference: str) -> str | None:
    """Return the Azure ML registry that holds an asset; None if the asset is the workspace's own."""
    match = _REGISTRY.fullmatch(reference)
    return match["name"] if match else None


def is_public_registry(name: str) -> bool:
    """Tell whether a registry is one that Microsoft runs for everyone."""
    return name.lower() in MICROSOFT_REGISTRIES


def placeholder_in(text: str) -> str | None:
    """Return the first placeholder in a string that a template should have replaced, such as `${IMAGE}`, or None."""
    match = _PLACEHOLDER.search(text)
    return match.group(0) if match else None
