"""constraints.txt pins everything that pyproject.toml asks for, and nothing of one machine.

No committed text names a path of somebody's machine either.
"""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.rules.syntax import ROOT, listed

# extras whose libraries come with later issues, when something uses and tests them
UNPINNED_EXTRAS = {"cluster", "stories"}
# folders at the root of a machine that no clone has
MACHINE_PATH = re.compile(r"(?<![\w./-])/(?:root|work|home/\w+|Users/\w+)/[\w.]")
TEXT = {".py", ".md", ".toml", ".txt", ".yml", ".yaml", ".json", ".cfg", ".sh", ""}


def wrong_pins(constraints: str) -> list[str]:
    """Lines that are neither a comment nor an exact pin of a public version."""
    lines = [line.partition("#")[0].strip() for line in constraints.splitlines()]
    return [line for line in lines if line and not re.fullmatch(r"[\w.-]+==[\w.]+", line)]


def unpinned(needs: list[str], constraints: str) -> list[str]:
    """Requirements without a pin, or with one outside their range."""
    pins = dict(re.findall(r"^([\w.-]+)==([\w.]+)", constraints, re.MULTILINE))
    pins = {canonicalize_name(name): version for name, version in pins.items()}
    found = []
    for need in map(Requirement, needs):
        version = pins.get(canonicalize_name(need.name))
        if version is None or not need.specifier.contains(version, prereleases=True):
            found.append(f"{need}: pinned to {version}")
    return found


def machine_paths(text: str, name: str) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:80]}"
        for number, line in enumerate(text.splitlines(), start=1)
        if MACHINE_PATH.search(line)
    ]


def committed_texts() -> list[Path]:
    folders = ("src", "tests", "docs", "bench", "recipes", "deploy", ".ci", ".github")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    return [path for path in [*ROOT.iterdir(), *files] if path.is_file() and path.suffix in TEXT]


def test_every_requirement_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needs = [*project["dependencies"]]
    for extra in extras.keys() - UNPINNED_EXTRAS:
        needs += extras[extra]
    constraints = (ROOT / "constraints.txt").read_text()
    found = wrong_pins(constraints) + unpinned(needs, constraints)
    assert not found, listed(found)


def test_no_machine_paths():
    found = []
    for path in committed_texts():
        if path.name != ".git":  # in a worktree this is a file with a path, and not committed
            text = path.read_text(errors="replace")
            found += machine_paths(text, path.relative_to(ROOT).as_posix())
    assert not found, listed(found)


@pytest.mark.parametrize("line", ["torch>=2", "-e .", "torch==2.13.0+cpu", "x @ https://x.y/z"])
def test_an_inexact_pin_is_found(line):
    assert wrong_pins(line) == [line]


def test_the_rule_finds_violations():
    pins = "# how it is made\nTorch==2.13.0  # comment\nresvg_py==0.5.0\n"
    assert wrong_pins(pins) == []
    assert unpinned(["torch>=2.10,<2.14", "resvg-py"], pins) == []
    assert unpinned(["torch>=3"], pins)
    assert unpinned(["numpy"], pins)
    for top in ("root", "work", "home/me", "Users/me"):
        assert machine_paths(f"see /{top}/x.py", "a.md"), top
    for line in ("https://x.y/work/z", "docs/work/x", "a/root/b", "/tmp/x", "rgb/work"):
        assert not machine_paths(line, "a.md"), line
