"""Docs cannot drift: Python blocks run, help pages are current, links and pictures exist.

Each ```python block of README and docs runs by itself in an empty folder. `# slow` in a block, or
`<!-- slow -->` in the line above it, leaves it to `make test-all`. Show code that cannot run as
```text.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from docs.help_blocks import BLOCK, ROOT, pages, refresh
from tests.rules.syntax import SRC, listed

PYTHON = re.compile(r"^(<!-- slow -->\n+)?```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(
    r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)|<(?:img|a|source)\s[^>]*?(?:src|href)=\"([^\"]+)\""
)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
ELSEWHERE = re.compile(r"^[a-z]+:")


def python_blocks() -> list:
    """Every Python block, as a pytest parameter named page:line."""
    found = []
    for path in pages():
        text = path.read_text()
        for block in PYTHON.finditer(text):
            line = text[: block.start(2)].count("\n")
            marks = [pytest.mark.slow] if block[1] or "# slow" in block[2] else []
            found.append(pytest.param(block[2], marks=marks, id=f"{path.relative_to(ROOT)}:{line}"))
    return found


def run(block: str, folder: Path) -> None:
    """Run a block in a folder; fails with what it said."""
    ran = subprocess.run(
        [sys.executable, "-c", block],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(SRC.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    # published, and not fetched by `make test`; what embedded models need may never be missing
    if missing := re.search(r"WeightsError: (.*'faces-dcgan' are not here yet.*)", ran.stderr):
        pytest.skip(missing[1])
    if ran.returncode:
        pytest.fail(ran.stderr, pytrace=False)


def anchors(text: str) -> set[str]:
    """The `#...` that a page offers, as GitHub makes them from headings."""
    headings = HEADING.findall(FENCE.sub("", text))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(path: Path) -> list[str]:
    """Links of a page to files or headings that do not exist; the network is not asked."""
    text = path.read_text()
    found = []
    for link in LINK.finditer(FENCE.sub("", text)):
        target = unquote(link[1] or link[2])
        if ELSEWHERE.match(target):
            continue
        name, _, anchor = target.partition("#")
        page = path.parent / name if name else path
        if not page.exists():
            found.append(f"{path.name}: {target} does not exist")
        elif anchor and page.suffix == ".md" and anchor not in anchors(page.read_text()):
            found.append(f"{path.name}: {target}: no such heading")
    return found


@pytest.mark.parametrize("block", python_blocks())
def test_python_blocks_run(block, tmp_path):
    run(block, tmp_path)


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_help_pages_are_current(path):
    text = path.read_text()
    if BLOCK.search(text):
        assert refresh(text) == text, "run `make docs`"


def test_links_and_pictures_exist():
    found = [complaint for path in pages() for complaint in broken_links(path)]
    assert not found, listed(found)


def test_a_failing_block_is_found(tmp_path):
    run("from pathlib import Path\nPath('x').write_text('made here')", tmp_path)
    assert (tmp_path / "x").exists()
    with pytest.raises(pytest.fail.Exception, match="ZeroDivisionError"):
        run("1 / 0", tmp_path)
    page = "a\n```python\nx = 1\n```\n```text\nno\n```\n<!-- slow -->\n```python\ny = 2\n```\n"
    assert PYTHON.findall(page) == [("", "x = 1\n"), ("<!-- slow -->\n", "y = 2\n")]


def test_a_stale_help_page_is_found():
    asked = []

    def page_of(arguments: str) -> str:
        asked.append(arguments)
        return "Usage: new"

    stale = "a\n```console\n$ phosphene imagine --help\nUsage: old\n```\nb\n"
    fresh = stale.replace("old", "new")
    assert refresh(stale, page_of) == fresh
    assert refresh(fresh, page_of) == fresh
    assert asked == ["imagine --help"] * 2
    other = "```console\n$ phosphene imagine fox\npainted\n```\n"
    assert refresh(other, page_of) == other


def test_a_broken_link_is_found(tmp_path):
    (tmp_path / "a picture.png").touch()
    (tmp_path / "other.md").write_text("# One, two!\n")
    page = tmp_path / "page.md"
    page.write_text(
        '# Here\n[x](other.md) ![p](a%20picture.png "title") <img width="9" src="a picture.png">\n'
        "[a](#here) [b](other.md#one-two) [c](https://example.com/none)\n```\n[d](none)\n```\n"
    )
    assert broken_links(page) == []
    page.write_text('[x](none.md) <img src="none.png"> [y](other.md#three) [z](#there)\n')
    assert len(broken_links(page)) == 4
