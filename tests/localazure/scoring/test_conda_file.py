"""What a conda file means when its packages come from PyPI."""

import pytest

from localazure.scoring.conda_file import brought_by_python, python_distance, python_satisfies, read_conda_file
from localazure.scoring.specification import DeploymentFailed


def test_pip_lines_are_taken_as_they_are_and_channels_are_noted():
    wanted = read_conda_file(
        "channels: [conda-forge]\ndependencies:\n- python=3.11\n- pip:\n  - scikit-learn==1.9.1\n  - --pre\n"
    )
    assert wanted.python == "=3.11"
    assert wanted.requirements == ("scikit-learn==1.9.1", "--pre")
    assert "channels ['conda-forge'] are ignored" in wanted.notes[0]


@pytest.mark.parametrize(
    ("entry", "requirement"),
    [
        ("numpy", "numpy"),
        ("numpy=1.26", "numpy==1.26.*"),
        ("numpy=1.26.4", "numpy==1.26.4.*"),
        ("numpy==1.26.4", "numpy==1.26.4"),
        ("numpy=1.26.4=py311h64a7726_0", "numpy==1.26.4"),
        ("numpy 1.26.4 py311h64a7726_0", "numpy==1.26.4.*"),
        ("numpy=1.26.*", "numpy==1.26.*"),
        ("numpy>=1.26,<2", "numpy>=1.26,<2"),
        ("conda-forge::pytorch=2.3", "torch==2.3.*"),
        ("NumPy >=1.26", "numpy>=1.26"),
        ("numpy=*", "numpy"),
    ],
)
def test_conda_packages_become_requirements(entry, requirement):
    assert read_conda_file(f"dependencies: ['{entry}']").requirements == (requirement,)


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "[]",
        "dependencies: 3",
        "dependencies: [3]",
        "dependencies: [{conda: [x]}]",
        "dependencies: ['=3']",
        "dependencies: [{pip: ['-r requirements.txt']}]",
        "dependencies: [{pip: [1]}]",
    ],
)
def test_what_cannot_be_read_fails_like_an_image_build(text):
    with pytest.raises(DeploymentFailed, match="conda file cannot be used") as caught:
        read_conda_file(text)
    assert caught.value.code == "ImageBuildFailure"


@pytest.mark.parametrize(
    ("specification", "fits"),
    [
        ("", True),
        ("3.11", True),
        ("=3.11", True),
        ("==3.11.7", True),
        ("3.11.*", True),
        (">=3.9,<3.12", True),
        ("~=3.11", True),
        ("<=3.11", True),
        (">3.10", True),
        ("3.10", False),
        ("3.1", False),
        ("3.11.8", False),
        ("<3.11", False),
        ("!=3.11.7", False),
    ],
)
def test_python_versions(specification, fits):
    assert python_satisfies(specification, (3, 11, 7)) is fits


def test_a_python_version_that_is_not_understood_is_refused():
    with pytest.raises(DeploymentFailed, match="'banana' is not understood"):
        python_satisfies("banana", (3, 11, 7))


def test_the_nearest_python_is_the_one_with_the_closest_minor_version():
    machine = [(3, 8, 1), (3, 11, 7), (3, 13, 0)]
    assert min(machine, key=lambda version: python_distance("=3.10", version)) == (3, 11, 7)
    assert min(machine, key=lambda version: python_distance("=3.12", version)) == (3, 13, 0)


@pytest.mark.parametrize(
    ("entry", "pinned"),
    [
        ("scikit-learn=1.2.2", True),
        ("pandas==1.5.3", True),
        ("scipy 1.10.1 py311h1", True),
        ("scikit-learn=1.5.0", False),
        ("scikit-learn", False),
        ("scikit-learn>=1.2", False),
        ("lightgbm=3.3", False),
    ],
)
def test_condas_builds_for_numpy_1_come_with_numpy_1(entry, pinned):
    wanted = read_conda_file(f"dependencies: ['{entry}', numpy]")
    assert ("numpy<2" in wanted.requirements) is pinned
    assert any("numpy<2" in note for note in wanted.notes) is pinned


def test_a_pip_line_is_bound_by_its_own_metadata_only():
    assert "numpy<2" not in read_conda_file("dependencies: [{pip: [scikit-learn==1.2.2]}]").requirements


@pytest.mark.parametrize(
    ("asked", "version", "requirements", "brought"),
    [
        ("=3.11", (3, 11, 7), [], ("pip", "setuptools", "wheel")),
        ("=3.9", (3, 11, 7), [], ("pip", "setuptools<81", "wheel")),
        ("=3.13", (3, 13, 0), [], ("pip",)),
        ("", (3, 12, 1), [], ("pip", "setuptools", "wheel")),
        ("=3.11", (3, 11, 7), ["pip==23.0.1.*", "setuptools==65"], ("wheel",)),
    ],
)
def test_what_conda_installs_with_python(asked, version, requirements, brought):
    assert brought_by_python(asked, version, requirements) == brought


def test_what_python_itself_consists_of_is_not_looked_for_on_pypi():
    exported = [
        "_libgcc_mutex=0.1=main",
        "openssl=3.0.15=h5eee18b_0",
        "tzdata=2025a=h04d1e81_0",
        "numpy=1.26.4=py311h64a_0",
    ]
    wanted = read_conda_file(f"dependencies: {exported}")
    assert wanted.requirements == ("numpy==1.26.4",)
    assert sum("is ignored" in note for note in wanted.notes) == 3
