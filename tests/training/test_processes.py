"""Several processes as one run: the same weights, one line when one dies, nobody left behind."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from phosphene.core.errors import MissingTool, RecipeError
from phosphene.core.images import save_png
from phosphene.core.rng import Rng
from phosphene.core.team import ALONE
from phosphene.core.weights import read_weights
from phosphene.training import processes
from phosphene.training.processes import together

ROOT = Path(__file__).parents[2]
RECIPE = """
kind = "train"
learner = "gan"
name = "tiny"
size = 16
steps = {steps}
batch_size = 8
checkpoint_every = 4
sheet_every = 1000
[model]
arch = "dcgan"
width = 4
d_width = 4
z_dim = 6
[settings]
conditional = true
bf16 = false
r1_gamma = 1.0
d_rate = 1e-5
"""
# a job in the background ignores Ctrl-C; and one of two processes fails where it is told to
PROGRAM = """
import os
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from phosphene.cli.app import main
from phosphene.core.errors import ImageError
from phosphene.families.gan.training import GANLearner
learn = GANLearner.step
def step(self, batch, index, *rest):
    if index == 3 and self.team.rank == 1 and "FAIL" in os.environ:
        raise ImageError("the cat ate it")
    return learn(self, batch, index, *rest)
GANLearner.step = step
main()
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for i in range(24):
        save_png(Rng((i,)).uniform(3, 20, 20, low=-1)[0], folder / "abc"[i % 3] / f"{i}.png")
    return folder


def start(
    folder: Path, data: Path, devices: int, steps: int = 6, *, how: Sequence[str] = (), **more: str
) -> subprocess.Popen[str]:
    """Start `phosphene train`; all files go below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tiny.toml").write_text(RECIPE.format(steps=steps))
    arguments = ["train", "tiny.toml", str(data), "--out", "run"]
    return subprocess.Popen(
        [*(how or (sys.executable, "-c", PROGRAM)), *arguments, "--devices", str(devices)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert out == "run/tiny.safetensors\n"
    return err


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "run/metrics.jsonl").read_text().splitlines()]


def followers(process: subprocess.Popen[str]) -> list[int]:
    """Processes whose parent this is, by what Linux says."""
    path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(pid) for pid in path.read_text().split()]


def running(pids: Sequence[int]) -> list[int]:
    alive = []
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 0)
            alive.append(pid)
    return alive


@pytest.fixture
def going(tmp_path: Path, data: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A run of two processes without an end, after its first checkpoint; and its followers."""
    process = start(tmp_path, data, 2, 100_000)
    while not (tmp_path / "run" / "checkpoint.safetensors").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    yield process, followers(process)
    process.kill()
    process.communicate()


def gone(pids: Sequence[int]) -> bool:
    """Whether all of them end within some seconds."""
    until = time.monotonic() + 20
    while running(pids) and time.monotonic() < until:
        time.sleep(0.05)
    return not running(pids)


@pytest.mark.slow
def test_two_processes_learn_what_one_does(tmp_path: Path, data: Path) -> None:
    finish(start(tmp_path / "one", data, 1))
    said = finish(start(tmp_path / "two", data, 2))
    assert "training tiny: 6/6" in said
    assert said.count("6/6") == 1, "one process speaks"
    rows = [rows_of(tmp_path / name) for name in ("one", "two")]
    assert [row["step"] for row in rows[1]] == [1, 2, 3, 4, 5, 6]
    for mine, theirs in zip(*rows, strict=True):
        for key in ("d", "g", "d_real", "d_fake", "diversity", "kimg"):
            assert mine[key] == pytest.approx(theirs[key], rel=1e-3, abs=1e-3)
    weights = [read_weights(tmp_path / n / "run" / "tiny.safetensors")[0] for n in ("one", "two")]
    for name, tensor in weights[0].items():
        torch.testing.assert_close(tensor, weights[1][name], atol=2e-3, rtol=2e-2, msg=name)


@pytest.mark.slow
def test_what_one_process_dies_of_is_one_line(tmp_path: Path, data: Path) -> None:
    process = start(tmp_path, data, 2, FAIL="yes")
    out, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert out == ""
    complaints = [line for line in err.splitlines() if not line.startswith("training")]
    assert complaints == ["phosphene: process 2 of 2: the cat ate it"]


@pytest.mark.slow
def test_a_killed_follower_is_one_line(going: tuple[subprocess.Popen[str], list[int]]) -> None:
    process, others = going
    assert len(others) == 1
    os.kill(others[0], signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    complaints = [line for line in err.splitlines() if not line.startswith("training")]
    assert len(complaints) == 1
    assert "phosphene: process 2 of 2 was killed by signal 9" in complaints[0]


@pytest.mark.slow
def test_no_process_outlives_a_killed_leader(
    going: tuple[subprocess.Popen[str], list[int]], tmp_path: Path, data: Path
) -> None:
    """And the run goes on, in two processes or in one."""
    process, others = going
    process.kill()
    process.communicate()
    assert gone(others)
    recipe = json.loads((tmp_path / "run" / "recipe.json").read_text())
    rows = [row["step"] for row in rows_of(tmp_path)]
    (tmp_path / "run" / "recipe.json").write_text(json.dumps({**recipe, "steps": rows[-1] + 2}))
    finish(start(tmp_path, data, 2, rows[-1] + 2))
    rows = [row["step"] for row in rows_of(tmp_path)]
    assert rows == list(range(1, rows[-1] + 1))


@pytest.mark.slow
def test_ctrl_c_ends_all(going: tuple[subprocess.Popen[str], list[int]]) -> None:
    process, others = going
    for pid in (process.pid, *others):  # the terminal tells all of them
        os.kill(pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped; the same command goes on from run" in err
    assert "Traceback" not in err
    assert gone(others)


@pytest.mark.slow
def test_torchrun(tmp_path: Path, data: Path) -> None:
    (tmp_path / "command.py").write_text("from phosphene.cli.app import main\nmain()\n")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    process = start(tmp_path, data, 2, how=[*torchrun, "command.py"])
    said = finish(process)
    assert said.count("training tiny: 6/6") == 1
    rows = [row["step"] for row in rows_of(tmp_path)]
    assert rows == [1, 2, 3, 4, 5, 6]


def test_one_process_is_alone() -> None:
    for devices in (None, 1):
        with together(devices) as team:
            assert team is ALONE


def test_mistakes(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecipeError, match="65 devices are out of range"), together(65):
        pass
    with pytest.raises(RecipeError, match="use --devices there"), together(2):
        pass
    monkeypatch.setattr(sys, "argv", ["phosphene", "train", "--devices", "2"])
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    with pytest.raises(MissingTool, match=r"pip install 'phosphene\[devices\]'"), together(2):
        pass
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    with pytest.raises(RecipeError, match="torchrun started 4 processes here, not 2"), together(2):
        pass


def test_the_environment_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHOSPHENE_A", "1")
    with processes._environment({"PHOSPHENE_A": "2", "PHOSPHENE_B": "3"}):
        assert os.environ["PHOSPHENE_A"] == "2"
        assert os.environ["PHOSPHENE_B"] == "3"
    assert os.environ["PHOSPHENE_A"] == "1"
    assert "PHOSPHENE_B" not in os.environ
