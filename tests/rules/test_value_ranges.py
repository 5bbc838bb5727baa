"""Pictures are float in [-1, 1]; bytes 0..255 live in `core/images.py` and the training renderer.

A stray `/ 255` is how half the colours of a program come out wrong.
"""

import ast

from tests.rules.syntax import SRC, listed, python_files

ALLOWED = {
    "core/images.py": "the one place where bytes become values and back",
    "training/pixels.py": "draws training pictures in 8 bits, for speed",
}
SCALING = {"div", "mul", "div_", "mul_", "divide", "multiply", "true_divide", "clamp", "clip"}


def is_255(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in (255, 255.0)


def violations(source: str, name: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        is_bytes = isinstance(node, ast.Constant) and node.value == 127.5
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div | ast.FloorDiv):
            is_bytes = is_255(node.left) or is_255(node.right)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            is_bytes = node.func.attr in SCALING and any(map(is_255, node.args))
        if is_bytes:
            found.append(f"{name}:{node.lineno}: use core.images.from_uint8 or to_uint8")
    return found


def test_bytes_live_in_one_place():
    found = []
    for path in python_files(SRC):
        name = path.relative_to(SRC).as_posix()
        if name not in ALLOWED:
            found += violations(path.read_text(), name)
    assert not found, listed(found)


def test_the_rule_finds_violations():
    bad = ("x / 255", "x * 255.0", "255 * x", "x / 127.5 - 1", "x.div(255)", "x.mul(127.5)")
    for line in (*bad, "x.clamp(0, 255)", "np.clip(x, 0, 255)", "torch.div(x, 255)", "x // 255"):
        assert violations(line, "bad.py"), line
    for line in ("WHITE = (255, 255, 255)", "x = y + 255", "seed % 256", "if x == 255: pass"):
        assert not violations(line, "good.py"), line
