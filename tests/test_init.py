import ast
import subprocess
import sys
from pathlib import Path

import pytest

import phosphene


def test_the_public_api_is_small_and_true():
    assert len(phosphene.__all__) <= 20
    for name in phosphene.__all__:
        assert getattr(phosphene, name) is not None
    assert dir(phosphene) == sorted(phosphene.__all__)


def test_type_checkers_see_what_is_loaded():
    (checked,) = [
        node
        for node in ast.parse(Path(phosphene.__file__).read_text()).body
        if isinstance(node, ast.If)
    ]
    seen = {
        alias.asname or alias.name
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == set(phosphene.__all__) - {"__version__"}


def test_unknown_names():
    with pytest.raises(AttributeError, match="no attribute 'imagin'"):
        phosphene.imagin  # noqa: B018


def test_importing_is_free():
    program = "import phosphene, sys; assert 'torch' not in sys.modules; phosphene.Imagine; "
    program += "assert 'torch' not in sys.modules; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
