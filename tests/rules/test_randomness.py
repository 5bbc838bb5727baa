"""Randomness comes from `phosphene.core.rng` alone, so that a seed fixes the picture.

Layers draw their initial weights from torch's global generator; that cannot be helped, so:

- `torch.nn.init.*` and the constructors of layers are fine, `torch.manual_seed` only inside
  `with torch.random.fork_rng(...)`, with a seed drawn from an `Rng`;
- every other draw, with or without a generator of its own, is a complaint.
"""

import ast

from tests.rules.syntax import SRC, calls, keyword, listed, python_files, references

ALLOWED = {
    "core/rng.py": "the one place",
}
FACTORIES = ("rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like")
DRAWS = ("normal", "bernoulli", "multinomial", "poisson", "binomial", "Generator")
SEEDS = ("manual_seed", "seed", "set_rng_state", "default_generator", "get_rng_state")
FORBIDDEN = {
    *(f"torch.{name}" for name in (*FACTORIES, *DRAWS, *SEEDS)),
    *(f"torch.random.{name}" for name in SEEDS),
    *(f"torch.cuda.{name}" for name in (*SEEDS, "manual_seed_all")),
    "torch.nn.functional.gumbel_softmax",
    "torch.utils.data.RandomSampler",
    "torch.utils.data.random_split",
    "transformers.set_seed",
}
IN_PLACE = {
    *("normal_", "uniform_", "random_", "bernoulli_", "exponential_", "cauchy_", "geometric_"),
    *("log_normal_", "bernoulli", "multinomial"),
}
FORKS = {"torch.random.fork_rng"}


def inside_forks(tree: ast.AST) -> set[ast.AST]:
    """Every node that stands in a `with torch.random.fork_rng(...)` block."""
    inside: set[ast.AST] = set()
    names: dict[ast.AST, str] = dict(calls(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.With) and any(
            names.get(item.context_expr) in FORKS for item in node.items
        ):
            inside |= {child for statement in node.body for child in ast.walk(statement)}
    return inside


def violations(source: str, name: str) -> list[str]:
    tree = ast.parse(source)
    called = {call.func for call, _ in calls(tree)}
    forked = inside_forks(tree)
    found = []
    for node, full in references(tree):
        method = full.rpartition(".")[2]
        is_draw = (
            full in FORBIDDEN
            or full.startswith(("numpy.random.", "torch.distributions."))
            # `random.Random` may be named as a type, not made
            or (full.startswith("random.") and (full != "random.Random" or node in called))
            or (method in IN_PLACE and node in called and not full.startswith("torch.nn.init."))
        )
        seeds_a_fork = full.endswith("manual_seed") and node in forked
        if is_draw and not seeds_a_fork:
            found.append(f"{name}:{node.lineno}: {full}: draw through phosphene.core.rng.Rng")
    for call, full in calls(tree):
        if keyword(call, "shuffle") is True:
            found.append(f"{name}:{call.lineno}: {full}(shuffle=True): order by an Rng instead")
    return found


def test_only_rng_draws():
    found = []
    for path in python_files(SRC):
        name = path.relative_to(SRC).as_posix()
        if name not in ALLOWED:
            found += violations(path.read_text(), name)
    assert not found, listed(found)


def test_the_exceptions_are_needed():
    for name in ALLOWED:
        assert violations((SRC / name).read_text(), name)


BAD = r"""
import torch; x = torch.randn(3)
import torch; x = torch.randint(3, (2,), generator=g)
from torch import randn as draw; x = draw(3)
import torch; draw = torch.rand
import torch; torch.manual_seed(0)
import torch; torch.cuda.manual_seed_all(0)
import torch; g = torch.Generator()
import torch; x = torch.empty(3).normal_()
def f(x): x.uniform_(0, 1)
def f(x): return x.softmax(-1).multinomial(1)
import torch.nn.functional as F; F.gumbel_softmax(x)
from torch.distributions import Normal; Normal(0, 1)
import numpy as np; np.random.seed(0)
import numpy; rng = numpy.random.default_rng(0)
from numpy.random import default_rng; rng = default_rng(0)
import random; random.shuffle(x)
from random import choice; choice(x)
import random; dice = random.Random(0)
from torch.utils.data import DataLoader; DataLoader(x, shuffle=True)
import torch\nwith torch.no_grad():\n    torch.manual_seed(0)
import torch\nwith torch.random.fork_rng():\n    x = torch.randn(3)
"""
GOOD = r"""
from phosphene.core.rng import Rng; x = Rng((0,)).normal(3)
import random; def_ = 1\ndef f(dice: random.Random) -> int: return dice.randrange(3)
from torch import nn; nn.init.normal_(w, std=0.02)
import torch; torch.nn.init.trunc_normal_(w)
import torch\nwith torch.random.fork_rng(devices=[]):\n    torch.manual_seed(seed)
def f(rng): return rng.fork("z").uniform(3)
def f(dice): dice.shuffle(x)
import torch; x = torch.zeros(3)
"""


def test_the_rule_finds_violations():
    for line in BAD.strip().splitlines():
        assert violations(line.replace("\\n", "\n"), "bad.py"), line
    for line in GOOD.strip().splitlines():
        assert not violations(line.replace("\\n", "\n"), "good.py"), line
