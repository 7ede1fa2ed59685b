"""Imports run to a lower floor only, few packages know AnnData, and `import vae_np` stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import vae_np

ROOT = Path(vae_np.__file__).parent
FLOORS = {
    "errors": 0,
    "signals": 0,
    "kernels": 0,
    "plots": 1,
    "data": 1,
    "elbo": 1,
    "layers": 2,
    "model": 3,
    "train": 4,
    "scgen": 5,
    "evaluate": 6,
    "verify": 6,
    "bench": 7,
    "book": 7,
    "cli": 8,
    "__main__": 9,
}
FILES = sorted(p.relative_to(ROOT) for p in ROOT.rglob("*.py") if p.name != "__init__.py" or p.parent != ROOT)


def room_of(path):
    return path.parts[0].removesuffix(".py")


def imports_of(path):
    """Every module that a file imports, wherever in the file the statement stands."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield node.module
            if node.module == "vae_np":
                yield from (f"vae_np.{a.name}" for a in node.names if a.name in FLOORS)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_run_to_a_lower_floor_only(path):
    for module in imports_of(path):
        if not module.startswith("vae_np."):
            continue
        other = module.split(".")[1]
        lower = FLOORS[other] < FLOORS[room_of(path)]
        assert other == room_of(path) or lower, f"{path} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_heavy_packages_are_known_where_they_belong(path):
    outside = {module.split(".")[0] for module in imports_of(path)}
    if "anndata" in outside:
        assert room_of(path) in {"scgen", "data", "evaluate", "cli"}
    if "numba" in outside:
        assert room_of(path) == "kernels"
    if "matplotlib" in outside:
        assert room_of(path) in {"book", "evaluate", "plots"}
    if room_of(path) == "kernels" and path.name != "__init__.py":
        assert outside <= {
            "collections",
            "concurrent",
            "contextlib",
            "contextvars",
            "functools",
            "itertools",
            "math",
            "numba",
            "numpy",
            "os",
            "scipy",
            "threadpoolctl",
            "threading",
            "typing",
            "vae_np",
        }


def loaded_by(statement):
    code = f"import sys; {statement}; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {module.split(".")[0] for module in result.stdout.split()}


def test_importing_the_package_is_light():
    heavy = {"numba", "anndata", "matplotlib", "pandas", "scipy", "rich", "torch"}
    assert not loaded_by("import vae_np") & heavy
    assert not loaded_by("import vae_np.train, vae_np.model") & (heavy - {"scipy"})


def test_public_names_load_on_first_use():
    assert {"ScGen", "read_h5ad", "simulate", "use"} <= set(dir(vae_np))
    assert vae_np.simulate.__module__ == "vae_np.data.simulate"
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        vae_np.nonsense  # noqa: B018
