"""Names and habits: a file is named for its concept; only the command line speaks.

- no `utils`, `helpers`, `common`, `misc`: they become drawers for anything;
- no `global`, no printing or progress bars or logging set-up in the library: it belongs to others;
- no `from __future__ import annotations`: it hides shapes from jaxtyping;
- a TODO names its issue, or nobody will find it again.
"""

import ast
import re
from pathlib import Path

from tests.rules.syntax import ROOT, SRC, calls, listed, local_names, python_files

DRAWERS = {"util", "utils", "helper", "helpers", "common", "misc", "tools", "stuff"}
SPEAKERS = ("cli/",)
SETUP = {"logging.basicConfig", "logging.config.dictConfig", "logging.disable"}
BARS = ("tqdm", "rich.progress")


def drawers(path: str) -> list[str]:
    words = [word for part in Path(path).with_suffix("").parts for word in part.split("_")]
    return [f"{path}: name it for its concept, not {word!r}" for word in words if word in DRAWERS]


def habits(source: str, name: str) -> list[str]:
    tree = ast.parse(source)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            found.append(f"{name}:{node.lineno}: global: pass values, or hold them in an object")
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            found.append(
                f"{name}:{node.lineno}: from __future__: quote the name that is not yet known"
            )
    for number, line in enumerate(source.splitlines(), start=1):
        if re.search(r"#.*\b(TODO|FIXME|XXX)\b", line) and not re.search(r"#\d+", line):
            found.append(f"{name}:{number}: a TODO names its issue: # TODO(#12): ...")
    if not name.startswith(SPEAKERS):
        found += spoken(tree, name)
    return found


def spoken(tree: ast.AST, name: str) -> list[str]:
    """What a library must not do: print, set up logging, draw progress bars."""
    found = []
    for call, full in calls(tree):
        if full in ("print", "rich.print", "sys.stdout.write", "sys.stderr.write"):
            found.append(f"{name}:{call.lineno}: {full}(): yield a Step or raise; only cli speaks")
        if full in SETUP:
            found.append(f"{name}:{call.lineno}: {full}(): the program sets up logging")
    for full in local_names(tree).values():
        if full.startswith(BARS):
            found.append(f"{name}: {full}: progress bars belong to the command line")
    return found


def test_no_drawers():
    folders = [ROOT / folder for folder in ("src", "tests", "bench", "docs")]
    found = [c for path in python_files(*folders) for c in drawers(str(path.relative_to(ROOT)))]
    assert not found, listed(found)


def test_habits():
    found = []
    for path in python_files(SRC):
        found += habits(path.read_text(), path.relative_to(SRC).as_posix())
    assert not found, listed(found)


def test_the_rule_finds_violations():
    for path in ("src/phosphene/utils.py", "src/phosphene/common/x.py", "tests/test_helpers.py"):
        assert drawers(path), path
    assert not drawers("src/phosphene/core/images.py")
    speech = ("print(1)", "import logging\nlogging.basicConfig()", "from tqdm import tqdm")
    for source in (*speech, "import sys\nsys.stdout.write('x')", "import rich.progress as p"):
        assert habits(source, "nn/x.py"), source
        assert not habits(source, "cli/x.py"), source
    for source in (
        "def f():\n    global x",
        "from __future__ import annotations",
        "x = 1  # TODO: later",
    ):
        assert habits(source, "cli/x.py"), source
    assert not habits("x = 1  # TODO(#12): later\nprinter.print(x)", "nn/x.py")
