"""Sizes: what fits on a page is read; what does not is skimmed.

Files up to 400 lines, functions up to 60 (without signature and docstring: those are tables and
text), at most 6 positional parameters: further ones come after `*`, so that calls name them.
"""

import ast

from tests.rules.syntax import ROOT, listed, python_files

FILE_LINES = 400
FUNCTION_LINES = 60
POSITIONAL = 6
EXCEPTIONS: dict[str, str] = {
    # "src/phosphene/x.py" (its length) or "src/phosphene/x.py:function": "the reason"
    "tests/zoo/taming_reference.py:drawn_weights": "a published layout, name by name, in its order",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def length(function: Function) -> int:
    """Lines of a function's body, without its docstring."""
    body = function.body[ast.get_docstring(function) is not None :]
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def positional(function: Function) -> int:
    """Parameters that a call may pass without naming them."""
    parameters = [a.arg for a in function.args.posonlyargs + function.args.args]
    return len([name for name in parameters if name not in ("self", "cls")])


def violations(source: str, name: str) -> dict[str, str]:
    """Complaints by what they are about: the file or one of its functions."""
    found = {}
    lines = len(source.splitlines())
    if lines > FILE_LINES:
        found[name] = f"{name} has {lines} lines, at most {FILE_LINES}: split it by concept"
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, Function):
            continue
        place = f"{name}:{node.name}"
        if length(node) > FUNCTION_LINES:
            found[place] = f"{place} has {length(node)} lines, at most {FUNCTION_LINES}"
        if positional(node) > POSITIONAL:
            found[place] = (
                f"{place} has {positional(node)} positional parameters, at most {POSITIONAL}: "
                "put the rest after `*`"
            )
    return found


def test_sizes():
    found: dict[str, str] = {}
    for path in python_files(*(ROOT / folder for folder in ("src", "tests", "bench", "docs"))):
        found |= violations(path.read_text(), path.relative_to(ROOT).as_posix())
    new = [text for place, text in found.items() if place not in EXCEPTIONS]
    assert not new, listed(new)
    stale = sorted(EXCEPTIONS.keys() - found.keys())
    assert not stale, f"these exceptions are no longer needed: {stale}"


def test_the_rule_finds_violations():
    assert violations("x = 1\n" * 400, "a.py") == {}
    assert set(violations("x = 1\n" * 401, "a.py")) == {"a.py"}
    short = "def f(\n    a,\n    b,\n):\n" + "    x = 1\n" * 60
    assert violations(short, "a.py") == {}
    assert set(violations(short + "    x = 1\n", "a.py")) == {"a.py:f"}
    documented = 'def f():\n    """Say.\n\n    More.\n    """\n' + "    x = 1\n" * 60
    assert violations(documented, "a.py") == {}
    assert violations('def f():\n    """Say."""\n', "a.py") == {}
    method = "class A:\n    async def f(self, a, b, c, d, e, /, f, *, g, h=1): ...\n"
    assert violations(method, "a.py") == {}
    assert set(violations(method.replace("*", "i, *"), "a.py")) == {"a.py:f"}
