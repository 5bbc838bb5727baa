"""Reading Python without running it: which files there are, and what they name.

A rule is a function from source text to complaints, so that a test can feed it a bad example.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "phosphene"


def python_files(*folders: Path) -> list[Path]:
    """Every Python file below the folders; a folder that does not exist (yet) has none."""
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def local_names(tree: ast.AST) -> dict[str, str]:
    """What imports bind: `import numpy as np` gives {"np": "numpy"}."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    """The full name of an expression: `np.random.rand` is "numpy.random.rand".

    What is not a name shows as "()": `torch.empty(3).normal_` is "().normal_".
    """
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value, names)}.{node.attr}"
    return "()"


def references(tree: ast.AST) -> Iterator[tuple[ast.expr, str]]:
    """Every name and attribute that is read, with its full dotted name."""
    names = local_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            yield node, dotted(node, names)


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    """Every call, with the full dotted name of what is called."""
    names = local_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node, dotted(node.func, names)


def keyword(call: ast.Call, name: str) -> object:
    """The literal value of a keyword argument; None when absent, "?" when computed."""
    for argument in call.keywords:
        if argument.arg == name:
            return argument.value.value if isinstance(argument.value, ast.Constant) else "?"
    return None


def listed(complaints: list[str]) -> str:
    """Complaints as a failing test shows them."""
    return "\n" + "\n".join(complaints)
