"""Files and texts from outside never become code.

Weights are safetensors; a pickle is read as data by `core/unpickle.py`, and by nothing else.
"""

import ast
import subprocess
from collections.abc import Iterator

from tests.rules.syntax import ROOT, calls, dotted, keyword, listed, local_names, python_files

ALLOWED: dict[str, str] = {
    # "src/phosphene/zoo/x.py": "why it may, and what keeps it safe"
}
FORBIDDEN = {
    **dict.fromkeys(("eval", "exec", "compile", "__import__"), "runs text as code"),
    **dict.fromkeys(
        ("os.system", "os.popen", "os.execv", "pty.spawn"), "use subprocess.run([...])"
    ),
    **dict.fromkeys(
        ("yaml.load", "yaml.unsafe_load", "yaml.full_load", "yaml.UnsafeLoader"),
        "use yaml.safe_load",
    ),
    "tempfile.mktemp": "another process can take the name; use mkstemp",
    "subprocess.getoutput": "runs a shell",
    "subprocess.getstatusoutput": "runs a shell",
    "torch.hub.load": "runs code from the network",
    "torch.load": "read_foreign of core/unpickle.py reads checkpoints as data",
}
DANGEROUS_SWITCHES = {
    "weights_only": (None, True, "weights_only=False runs the code in a pickle"),
    "shell": (None, False, "pass a list of arguments, not a shell line"),
    "trust_remote_code": (None, False, "runs code that came with the weights"),
    "allow_pickle": (None, False, "a pickle runs code when it is read"),
}
PICKLES = ("pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve")
PICKLE_FILES = (".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".bin", ".joblib", ".npy")


def reasons(call: ast.Call, full: str) -> Iterator[str]:
    """Why a call is unsafe."""
    if full in FORBIDDEN:
        yield FORBIDDEN[full]
    if full.partition(".")[0] in PICKLES and full.endswith(("load", "loads", "Unpickler", "open")):
        yield "a pickle runs code when it is read"
    if full.endswith(".extractall"):
        yield "read archives in place: their members can point anywhere"
    for switch, (*safe, why) in DANGEROUS_SWITCHES.items():
        if keyword(call, switch) not in safe:
            yield why


def unpicklers(tree: ast.AST) -> Iterator[ast.ClassDef]:
    """Own unpicklers that do not say which names they allow."""
    names = local_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            bases = [dotted(base, names) for base in node.bases]
            methods = [item.name for item in node.body if isinstance(item, ast.FunctionDef)]
            if "pickle.Unpickler" in bases and "find_class" not in methods:
                yield node


def violations(source: str, name: str) -> list[str]:
    tree = ast.parse(source)
    found = [
        f"{name}:{call.lineno}: {full}(): {why}"
        for call, full in calls(tree)
        for why in reasons(call, full)
    ]
    for node in unpicklers(tree):
        found.append(f"{name}:{node.lineno}: {node.name} must allow names one by one in find_class")
    return found


def test_nothing_from_outside_becomes_code():
    found = []
    for path in python_files(ROOT / "src", ROOT / "bench", ROOT / "docs"):
        name = path.relative_to(ROOT).as_posix()
        if name not in ALLOWED:
            found += violations(path.read_text(), name)
    assert not found, listed(found)


def test_no_pickle_is_committed():
    listing = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    found = [name for name in listing.stdout.splitlines() if name.endswith(PICKLE_FILES)]
    assert not found, listed(found)


BAD = r"""
eval(text)
exec(text)
import os; os.system("ls")
import subprocess; subprocess.run("ls", shell=True)
import pickle; pickle.load(file)
from pickle import loads; loads(data)
import pickle as p; p.Unpickler(file)
import torch; torch.load(path)
import torch; torch.load(path, weights_only=False)
import torch; torch.load(path, weights_only=True)
from torch import load; load(path)
import yaml; yaml.load(text, Loader=yaml.SafeLoader)
import numpy as np; np.load(path, allow_pickle=True)
from transformers import AutoModel; AutoModel.from_pretrained(path, trust_remote_code=True)
archive.extractall(folder)
import torch; torch.hub.load("owner/repo", "model")
import pickle\nclass Loose(pickle.Unpickler): pass
"""
GOOD = r"""
model.eval()
import yaml; yaml.safe_load(text)
import subprocess; subprocess.run(["ls"], check=True)
import re; re.compile("x")
import json; json.load(file)
from transformers import AutoModel; AutoModel.from_pretrained(path, trust_remote_code=False)
import pickle\nclass Strict(pickle.Unpickler):\n    def find_class(self, a, b): raise ValueError
"""


def test_the_rule_finds_violations():
    for line in BAD.strip().splitlines():
        assert violations(line.replace("\\n", "\n"), "bad.py"), line
    for line in GOOD.strip().splitlines():
        assert not violations(line.replace("\\n", "\n"), "good.py"), line
