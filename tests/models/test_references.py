"""What strings refer to: pinned images, registries, and placeholders that no template replaced."""

import pytest

from models.references import is_image, is_pinned, is_public_registry, placeholder_in, registry_of

DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("image", "pinned"),
    [
        ("mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:20250601.v1", True),
        (f"mcr.microsoft.com/azureml/x@{DIGEST}", True),
        (f"mcr.microsoft.com/azureml/x:latest@{DIGEST}", True),
        ("localhost:5000/x:1", True),
        ("x:LATEST", True),  # tags are case-sensitive
        ("mcr.microsoft.com/azureml/x:latest", False),
        ("mcr.microsoft.com/azureml/x", False),
        ("localhost:5000/x", False),  # a port is not a tag
        ("x", False),
    ],
)
def test_an_image_is_pinned_by_a_digest_or_by_a_tag_other_than_latest(image: str, pinned: bool) -> None:
    assert is_image(image)
    assert is_pinned(image) is pinned


@pytest.mark.parametrize(
    "text", ["", "${IMAGE}", "Registry.io/Upper:1", "a b", "x:", "x@latest", "__IMAGE__", "x//y:1"]
)
def test_what_no_image_can_be_called(text: str) -> None:
    assert not is_image(text)
    assert not is_pinned(text)


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("azureml://registries/azureml/models/m/versions/3", "azureml"),
        ("azureml://registries/Shared-Models/environments/e/labels/latest", "Shared-Models"),
        ("m:3", None),
        ("azureml:m:3", None),
        ("/subscriptions/s/resourceGroups/g/providers/x", None),
        ("azureml://registries/azureml", None),
    ],
)
def test_the_registry_of_an_asset(reference: str, name: str | None) -> None:
    assert registry_of(reference) == name


def test_microsofts_registries_are_for_everybody() -> None:
    assert all(is_public_registry(name) for name in ("azureml", "azureml-meta", "HuggingFace", "huggingface"))
    assert not is_public_registry("shared-models")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("${IMAGE}", "${IMAGE}"),
        ("x/${{ parameters.image }}:1", "${{ parameters.image }}"),
        ("$(image)", "$(image)"),
        ("$IMAGE:1", "$IMAGE"),
        ("{{ image }}:1", "{{ image }}"),
        ("#{Image}#", "#{Image}#"),
        ("azureml:m:<version>", "<version>"),
        ("%IMAGE%", "%IMAGE%"),
        ("__IMAGE__:1", "__IMAGE__"),
        ("mcr.microsoft.com/azureml/my__image:1", None),
        ("azureml:m:3", None),
        ("costs 5 $ a day, 100 %", None),
    ],
)
def test_what_a_template_left_unfilled_is_found(text: str, found: str | None) -> None:
    assert placeholder_in(text) == found
