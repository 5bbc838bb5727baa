"""Importing does no work, and surfaces answer without loading torch."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.rules.syntax import ROOT, SRC, python_files

HEAVY = ("torch", "transformers", "diffusers", "numpy", "PIL", "scipy", "pandas")
# what answers at once: `phosphene --help`, checking a recipe, listing models
LIGHT = (
    *("phosphene", "phosphene.core.errors", "phosphene.cli.app", "phosphene.studio.recipe"),
    *("phosphene.web.app", "phosphene.studio.studio", "phosphene.studio.supervisor"),
    *("phosphene.studio.importing", "phosphene.studio.exporting", "phosphene.studio.repair"),
)

LOADED = """
import importlib, json, sys
importlib.import_module(sys.argv[1])
print(json.dumps([name for name in sys.argv[2:] if name in sys.modules]))
"""
# one process imports all modules, and says what that changed
IMPORT_ALL = """
import importlib, json, logging, pathlib, sys, torch
def state():
    return {
        "random numbers": torch.get_rng_state().tolist()[:64],
        "default dtype": str(torch.get_default_dtype()),
        "threads": torch.get_num_threads(),
        "matmul precision": torch.get_float32_matmul_precision(),
        "grad mode": torch.is_grad_enabled(),
        "logging": [repr(handler) for handler in logging.root.handlers],
        "files": sorted(str(path) for path in pathlib.Path().rglob("*")),
    }
before, missing = state(), []
for name in json.loads(sys.argv[1]):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing.append(error.name.partition(".")[0])
after = state()
changed = [key for key in before if before[key] != after[key]]
pathlib.Path("report.json").write_text(json.dumps({"changed": changed, "missing": missing}))
"""


def source_of(module: str, package: Path = SRC) -> Path | None:
    """The file of a module, if it exists (yet)."""
    stem = package.joinpath(*module.split(".")[1:])
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if path.exists():
            return path
    return None


def python(program: str, *arguments: str, path: Path, folder: Path) -> str:
    """Run a program in a fresh interpreter and an empty home; returns all that it printed."""
    ran = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(path),
            "HOME": str(folder),
            "PHOSPHENE_HOME": str(folder / "home"),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


def loaded_by(module: str, path: Path, folder: Path) -> list[str]:
    """Which heavy libraries importing a module loads."""
    return json.loads(python(LOADED, module, *HEAVY, path=path, folder=folder))


def changes_of(modules: list[str], path: Path, folder: Path) -> dict[str, list[str]]:
    """What importing the modules changed in the world, and which libraries were missing."""
    printed = python(IMPORT_ALL, json.dumps(modules), path=path, folder=folder)
    report = json.loads((folder / "report.json").read_text())
    if printed:
        report["changed"].append(f"printed: {printed}")
    return report


def optional_libraries() -> set[str]:
    """What the extras install, and what comes with it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = [need for extra in project["optional-dependencies"].values() for need in extra]
    return {need.partition(">")[0].partition("<")[0].partition("=")[0] for need in names} | {
        "starlette"
    }


@pytest.mark.parametrize("module", LIGHT)
def test_surfaces_do_not_load_torch(module, tmp_path):
    if source_of(module) is None:
        pytest.skip(f"{module} does not exist yet")
    assert loaded_by(module, SRC.parent, tmp_path) == []


def test_importing_does_no_work(tmp_path):
    modules = [
        ".".join(path.relative_to(SRC.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in python_files(SRC)
        if path.name != "__main__.py"
    ]
    report = changes_of(modules, SRC.parent, tmp_path)
    assert report["changed"] == []
    assert set(report["missing"]) <= optional_libraries()


def test_the_rule_finds_violations(tmp_path):
    package = tmp_path / "src" / "phosphene"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "eager.py").write_text("import numpy")
    (package / "lazy.py").write_text("def f():\n    import numpy")
    (package / "busy.py").write_text(
        "import logging, pathlib, torch\ntorch.manual_seed(1)\nlogging.basicConfig()\n"
        "pathlib.Path('made').touch()\nprint('hello')\nimport no_such_library"
    )
    folder = tmp_path / "cwd"
    folder.mkdir()
    assert loaded_by("phosphene.eager", package.parent, folder) == ["numpy"]
    assert loaded_by("phosphene.lazy", package.parent, folder) == []
    report = changes_of(["phosphene.lazy", "phosphene.busy"], package.parent, folder)
    assert {"random numbers", "logging", "files"} <= set(report["changed"])
    assert "printed: hello\n" in report["changed"]
    assert report["missing"] == ["no_such_library"]
    assert source_of("phosphene.lazy", package) == package / "lazy.py"
    assert source_of("phosphene.none", package) is None
