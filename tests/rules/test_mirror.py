"""Tests mirror the source: src/phosphene/core/rng.py is tested by tests/core/test_rng.py.

A long test file may be split by topic: tests/core/test_images_hostile.py also belongs to images.py.
An `__init__.py` counts only when it defines functions or classes, and is tested by test_init.py.
"""

import ast
from pathlib import Path

from tests.rules.syntax import ROOT, SRC, listed, python_files

FREE = {
    "rules": "the architecture as tests, beside the code, not of one module",
    "golden": "pictures compared across all of phosphene",
    "contract": "one suite over every registered generator",
    "browser": "what a visitor does, through all layers",
}
MODULES_WITHOUT_TESTS: dict[str, str] = {
    # "family/module.py": "why nothing in it can be tested by itself",
}
TESTS_WITHOUT_MODULES: dict[str, str] = {
    # "family/test_topic.py": "what it tests instead of one module",
}


def is_code(path: Path, source: str) -> bool:
    """Whether a module has something to test."""
    defines = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    if path.name == "__init__.py":
        return any(isinstance(node, defines) for node in ast.parse(source).body)
    return path.name != "__main__.py"


def mirror_of(module: str) -> str:
    """tests' path for a module's path, both relative: core/rng.py -> core/test_rng.py."""
    path = Path(module)
    return str(path.with_name(f"test_{path.stem.strip('_')}.py"))


def untested(modules: list[str], tests: list[str], exceptions: dict[str, str]) -> list[str]:
    return [
        f"src/phosphene/{module} has no tests/{mirror_of(module)}"
        for module in modules
        if mirror_of(module) not in tests and module not in exceptions
    ]


def orphans(modules: list[str], tests: list[str], exceptions: dict[str, str]) -> list[str]:
    mirrors = [mirror_of(module).removesuffix(".py") for module in modules]
    return [
        f"tests/{test} mirrors no module of src/phosphene"
        for test in tests
        if test not in exceptions
        and Path(test).parts[0] not in FREE
        and not any(test.removesuffix(".py") == m or test.startswith(f"{m}_") for m in mirrors)
    ]


def stale(exceptions: dict[str, str], files: list[str]) -> list[str]:
    return [f"exception for {name}, which does not exist" for name in exceptions.keys() - files]


MODULES = [
    path.relative_to(SRC).as_posix()
    for path in python_files(SRC)
    if is_code(path, path.read_text())
]
TESTS = [
    path.relative_to(ROOT / "tests").as_posix()
    for path in python_files(ROOT / "tests")
    if path.name.startswith("test_")
]


def test_every_module_is_tested():
    found = untested(MODULES, TESTS, MODULES_WITHOUT_TESTS)
    assert not found, listed(found)


def test_every_test_mirrors_a_module():
    found = orphans(MODULES, TESTS, TESTS_WITHOUT_MODULES)
    assert not found, listed(found)


def test_exceptions_are_needed():
    found = stale(MODULES_WITHOUT_TESTS, MODULES) + stale(TESTS_WITHOUT_MODULES, TESTS)
    assert not found, listed(found)


def test_the_rule_finds_violations():
    modules = ["core/rng.py", "nn/_fast.py", "__init__.py"]
    tests = ["core/test_rng.py", "core/test_rng_speed.py", "nn/test_fast.py", "test_init.py"]
    assert untested(modules, tests, {}) == []
    assert orphans(modules, tests, {}) == []
    assert untested(["core/new.py"], tests, {})
    assert not untested(["core/new.py"], tests, {"core/new.py": "a reason"})
    assert orphans(modules, ["test_rng.py"], {})
    assert orphans(modules, ["core/test_rngs.py"], {})
    assert not orphans(modules, ["rules/test_sizes.py"], {})
    assert stale({"gone.py": "a reason"}, modules)
    assert not is_code(Path("__init__.py"), '"""Only a docstring."""\n__version__ = "1"\n')
    assert is_code(Path("__init__.py"), "def __getattr__(name): ...")
