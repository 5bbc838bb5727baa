"""import-linter's contracts hold, and each of them can fail."""

import os
import subprocess
import sys
from pathlib import Path

from tests.rules.syntax import ROOT, SRC, listed

LINT = "from importlinter.cli import lint_imports_command as main; main()"
# one package that does everything wrong, and what must be said about each line of it
BAD = {
    "core/up.py": "def f():\n    from phosphene.studio import x",
    "studio/x.py": "",
    "cli/c.py": "",
    "web/up.py": "import phosphene.cli.c",
    "web/page.py": "from transformers import x",
    "training/sideways.py": "import phosphene.families.gan",
    "extra/a.py": "",
    "families/gan/a.py": "import phosphene.families.tokens.b",
    "families/tokens/b.py": "",
    "nn/one.py": "import phosphene.nn.two",
    "nn/two.py": "from . import one",
    "cli/heavy.py": "def f():\n    import torch",
    "studio/recipe.py": "import numpy as np",
    "studio/recipes/x.py": "import safetensors",
}
COMPLAINTS = [
    "Imports point down, and siblings do not know one another BROKEN",
    "phosphene.core.up -> phosphene.studio.x (l.2)",
    "phosphene.web.up -> phosphene.cli.c (l.1)",
    "phosphene.training.sideways -> phosphene.families.gan (l.1)",
    "- phosphene.extra",
    "One family of models can be deleted without the others noticing BROKEN",
    "phosphene.families.gan.a -> phosphene.families.tokens.b (l.1)",
    "No cycles, at any depth BROKEN",
    "phosphene.nn",
    "Surfaces and recipes do not import heavy libraries, not even inside a function BROKEN",
    "phosphene.cli.heavy -> torch (l.2)",
    "phosphene.web.page -> transformers (l.1)",
    "phosphene.studio.recipe -> numpy (l.1)",
    "phosphene.studio.recipes.x -> safetensors (l.1)",
]
GOOD = {
    "cli/a.py": "def f():\n    from phosphene.studio.run import run\n    import phosphene.web.app",
    "web/app.py": "import phosphene.studio.recipe",
    "studio/run.py": "import torch\nfrom phosphene.zoo.registry import load\nfrom . import recipe",
    "studio/recipe.py": "from phosphene.core.errors import RecipeError",
    "zoo/registry.py": "from phosphene.families.tokens import vqgan\nimport phosphene.prompting.p",
    "families/tokens/vqgan.py": "import torch\nfrom phosphene.nn import layers",
    "families/gan/dcgan.py": "import phosphene.nn.layers",
    "prompting/p.py": "import phosphene.core.errors",
    "nn/layers.py": "import torch, phosphene.core.errors",
}


def lint(source: Path) -> subprocess.CompletedProcess[str]:
    """Run the contracts of pyproject.toml over the package below `source`."""
    return subprocess.run(
        [sys.executable, "-c", LINT, "--config", str(ROOT / "pyproject.toml"), "--no-cache"],
        cwd=source,
        env={**os.environ, "PYTHONPATH": str(source), "PYTHONUTF8": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def plant(folder: Path, files: dict[str, str]) -> Path:
    """Write a small phosphene package."""
    for name, text in {"core/errors.py": "", **files}.items():
        path = folder / "phosphene" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    package = folder / "phosphene"
    for sub in (package, *(path for path in package.rglob("*") if path.is_dir())):
        (sub / "__init__.py").touch()
    return folder


def test_the_contracts_hold():
    ran = lint(SRC.parent)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_reaching_down_is_allowed(tmp_path):
    ran = lint(plant(tmp_path, GOOD))
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_contracts_find_violations(tmp_path):
    ran = lint(plant(tmp_path, BAD))
    assert ran.returncode == 1, ran.stdout + ran.stderr
    silent = [complaint for complaint in COMPLAINTS if complaint not in ran.stdout]
    assert not silent, listed(silent) + ran.stdout
