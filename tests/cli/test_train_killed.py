"""`phosphene train` of a GAN, killed with SIGKILL: called again, it ends in the same bytes."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from phosphene.core import weights
from phosphene.core.images import save_png
from phosphene.core.rng import Rng
from phosphene.training.checkpoint import load_state
from tests.cli.conftest import Command

ROOT = Path(__file__).parents[2]
RECIPE = """
kind = "train"
learner = "gan"
name = "tiny"
size = 16
steps = 11
batch_size = 4
checkpoint_every = 4
sheet_every = 5
[model]
arch = "dcgan"
width = 4
d_width = 4
z_dim = 6
d_norm = "spectral"
[settings]
conditional = true
augment = "ada"
ada_target = -1.0
ada_kimg = 0.05
r1_gamma = 1.0
r1_every = 3
mirror_prob = 0.5
"""
# the command, which kills itself in a step, or when half of its second checkpoint is written
PROGRAM = """
import os, signal, sys
from phosphene.cli.app import main
from phosphene.core import weights
from phosphene.families.gan.training import GANLearner
def die():
    os.kill(os.getpid(), signal.SIGKILL)
learn, save, calls = GANLearner.step, weights.save_file, []
def step(self, batch, index, *rest):
    return die() if index == 6 else learn(self, batch, index, *rest)
def save_file(tensors, path, metadata):
    calls.append(path)
    save(tensors, path, metadata)
    if len(calls) == 2:
        os.truncate(path, os.path.getsize(path) // 2)
        die()
if os.environ["DIE"] == "step":
    GANLearner.step = step
else:
    weights.save_file = save_file
main()
"""
KEPT = ("tiny.safetensors", "checkpoint.safetensors", "sheet-000005.png", "sheet-000011.png")


@pytest.fixture
def train(phosphene: Command) -> Command:
    """Call `phosphene train tiny.toml data -o FOLDER`, on six pictures of three classes."""
    Path("tiny.toml").write_text(RECIPE)
    for i in range(6):
        save_png(Rng((i,)).uniform(3, 20, 20, low=-1)[0], Path("data", "abc"[i % 3], f"{i}.png"))
    return lambda folder, *more: phosphene("train", "tiny.toml", "data", "-o", folder, *more)


def losses(folder: str) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in Path(folder, "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k != "seconds_per_kimg"} for row in rows]


def same(one: str, other: str) -> bool:
    assert losses(one) == losses(other)
    assert [row["step"] for row in losses(one)] == list(range(1, 12))
    return all(Path(one, name).read_bytes() == Path(other, name).read_bytes() for name in KEPT)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["step", "write"])
def test_killed_and_called_again(how: str, train: Command) -> None:
    assert train("straight").code == 0
    killed = subprocess.run(
        [sys.executable, "-c", PROGRAM, "train", "tiny.toml", "data", "-o", "killed"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "DIE": how},
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert load_state(Path("killed/checkpoint.safetensors"))["index"] == 4
    assert len(list(Path("killed").glob(".*.tmp"))) == (how == "write")
    assert train("killed").code == 0
    assert same("straight", "killed")
    assert not list(Path("killed").glob(".*.tmp"))


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_the_run_goes_on(
    train: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train("straight").code == 0
    save, calls = weights.save_file, list[Path]()

    def filling(tensors: object, path: Path, metadata: object) -> None:
        calls.append(path)
        if len(calls) == 2:
            path.write_bytes(b"half a checkpoint")
            raise OSError(errno.ENOSPC, "No space left on device")
        save(tensors, path, metadata)  # type: ignore[arg-type]

    monkeypatch.setattr(weights, "save_file", filling)
    said = train("full")
    assert said.code == 1
    assert "the disk is full; free some space and try again" in said.err.splitlines()[-1]
    assert load_state(Path("full/checkpoint.safetensors"))["index"] == 4
    assert train("full").code == 0
    assert same("straight", "full")
