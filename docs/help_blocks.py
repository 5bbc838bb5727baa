"""Keep the `--help` pages quoted in README and docs as the program prints them.

    python docs/help_blocks.py            rewrite them (`make docs`)
    python docs/help_blocks.py --check    only say which are out of date; exit 1 if any

A block starts with ```console and a line such as `$ phosphene imagine --help`; what follows the
line is replaced by what the command prints.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```console\n\$ phosphene ([^\n]*--help)\n.*?^```$", re.MULTILINE | re.DOTALL)
# one width and no colours, whatever the terminal
PLAIN = {"COLUMNS": "80", "TERMINAL_WIDTH": "80", "TERM": "dumb", "NO_COLOR": "1"}


def pages() -> list[Path]:
    """Every page that people read."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def help_page(arguments: str) -> str:
    """What `phosphene ARGUMENTS` prints, without trailing blanks."""
    program = "import sys; sys.argv[0] = 'phosphene'; from phosphene.cli.app import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", program, *shlex.split(arguments)],
        env={**os.environ, **PLAIN, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    return "\n".join(line.rstrip() for line in ran.stdout.strip().splitlines())


def refresh(text: str, page_of: Callable[[str], str] = help_page) -> str:
    """The text of a page with every help block as `page_of` prints it now."""
    return BLOCK.sub(
        lambda block: f"```console\n$ phosphene {block[1]}\n{page_of(block[1])}\n```", text
    )


def main() -> int:
    """Rewrite or check; returns the exit code."""
    check, stale = "--check" in sys.argv[1:], 0
    for path in pages():
        text = path.read_text()
        fresh = refresh(text)
        if fresh != text:
            stale += 1
            print(f"{'out of date' if check else 'rewritten'}: {path.relative_to(ROOT)}")
            if not check:
                path.write_text(fresh)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
