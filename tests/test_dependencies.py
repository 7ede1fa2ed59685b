"""What the package imports it asks for: each with a lowest version, which CI tries, and no highest one."""

import re
import sys
import tomllib
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from test_imports import FILES, imports_of

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
EXTRA_OF = {"book": "docs", "bench": "bench"}  # packages of ours that need more than the core
BEHIND_A_CHECK = {  # imported where installed, by functions that say what to install
    "distributed",
    "pertpy",
    "pytorch_lightning",
    "scanpy",
    "scgen",
    "sympy",
    "torch",
}


@pytest.fixture(scope="module")
def project():
    return tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]


def requirements(project, *extras):
    lists = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in extras)]
    return [Requirement(text) for each in lists for text in each]


def names(required):
    return {re.sub(r"[-_.]+", "-", requirement.name).lower() for requirement in required}


def test_every_dependency_has_a_floor_and_no_ceiling(project):
    for requirement in requirements(project, *project["optional-dependencies"]):
        if requirement.name != "vae_np":
            assert [each.operator for each in requirement.specifier] == [">="], str(requirement)


def test_what_is_installed_is_what_is_asked_for(project):
    for requirement in requirements(project):
        assert Version(version(requirement.name)) in requirement.specifier


def test_every_import_is_asked_for(project):
    providers = packages_distributions()
    for path in FILES:
        asked = names(requirements(project, *filter(None, [EXTRA_OF.get(path.parts[0])])))
        modules = {name.split(".")[0] for name in imports_of(path)} - BEHIND_A_CHECK - {"vae_np"}
        for module in modules - sys.stdlib_module_names:
            found = names(map(Requirement, providers.get(module, [module])))
            assert found & asked, f"{path} imports {module}: add it to pyproject.toml"
