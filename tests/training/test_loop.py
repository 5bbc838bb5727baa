"""The training loop: a run that was stopped, however rudely, ends as if it had not been."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from phosphene.core import weights
from phosphene.core.errors import CheckpointError, Diverged, StorageError
from phosphene.core.team import Team
from phosphene.training import loop
from phosphene.training.checkpoint import load_state
from phosphene.training.loop import CHECKPOINT, HEALTHY, METRICS, Schedule, train
from tests.training import toy_run
from tests.training.toy_run import SCHEDULE, Batches, Toy, run

STEPS = 11  # not a multiple of the checkpoints' distance


def rows(folder: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (folder / METRICS).read_text().splitlines()]


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Digest of the weights after a run without interruption."""
    return run(tmp_path_factory.mktemp("straight"), STEPS).digest()


def test_yields_every_step(tmp_path: Path) -> None:
    batches = Batches()
    steps = list(
        train(Toy(), batches, batches.batch(0), Schedule(steps=3, sheet_every=2), tmp_path)
    )
    assert [(step.index, step.total) for step in steps] == [(0, 3), (1, 3), (2, 3)]
    assert [step.images is not None for step in steps] == [False, True, True]
    assert all(step.scalars["loss"] > 0 for step in steps)
    assert rows(tmp_path) == [1, 2, 3]
    assert {p.name for p in tmp_path.iterdir()} == {
        *(CHECKPOINT, METRICS, "sheet-000002.png", "sheet-000003.png")
    }


@pytest.mark.parametrize("until", [1, 4, 5, 10])
def test_abandoned_and_resumed(until: int, straight: str, tmp_path: Path) -> None:
    run(tmp_path, STEPS, until=until)
    assert run(tmp_path, STEPS).digest() == straight
    assert rows(tmp_path) == list(range(1, STEPS + 1))


def test_stopped_again_and_again(straight: str, tmp_path: Path) -> None:
    for until in (5, 6, 9):
        run(tmp_path, STEPS, until=until)
    assert run(tmp_path, STEPS).digest() == straight


@pytest.mark.slow
@pytest.mark.parametrize(("point", "at"), [("step", 6), ("rename", 8)])
def test_killed_and_resumed(point: str, at: int, straight: str, tmp_path: Path) -> None:
    """SIGKILL between checkpoints, and between writing a checkpoint and putting it in place."""
    sources = os.pathsep.join([str(Path(loop.__file__).parents[2]), str(Path(__file__).parents[2])])
    killed = subprocess.run(
        [sys.executable, toy_run.__file__, str(tmp_path), str(STEPS), point, str(at)],
        env={**os.environ, "PYTHONPATH": sources},
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr
    assert load_state(tmp_path / CHECKPOINT)["index"] == 4
    left_over = list(tmp_path.glob(".*.tmp"))
    assert len(left_over) == (point == "rename")
    assert run(tmp_path, STEPS).digest() == straight
    assert rows(tmp_path) == list(range(1, STEPS + 1))
    assert not list(tmp_path.glob(".*.tmp"))


def test_resuming_asks_for_the_missing_batches_alone(tmp_path: Path) -> None:
    run(tmp_path, STEPS, until=6)
    batches = Batches()
    list(
        train(
            Toy(),
            batches,
            {"inputs": batches.batch(0)["inputs"]},
            Schedule(steps=STEPS),
            tmp_path,
            7,
        )
    )
    assert batches.asked[1:] == list(range(4, STEPS))


def test_a_finished_run_has_nothing_to_do(straight: str, tmp_path: Path) -> None:
    run(tmp_path, STEPS)
    again, batches = Toy(), Batches()
    assert list(train(again, batches, {}, Schedule(steps=STEPS, **SCHEDULE), tmp_path, 7)) == []
    assert again.digest() == straight


def test_rows_after_the_checkpoint_are_dropped(tmp_path: Path) -> None:
    run(tmp_path, STEPS, until=7)
    assert rows(tmp_path) == [1, 2, 3, 4, 5, 6, 7]
    with (tmp_path / METRICS).open("a") as file:
        file.write('[1]\n7\n\n{"step": 8, "lo')  # what a kill leaves, and worse
    run(tmp_path, STEPS, until=5)
    assert rows(tmp_path) == [1, 2, 3, 4, 5]


def test_rows_without_a_checkpoint_are_dropped(tmp_path: Path) -> None:
    run(tmp_path, STEPS, until=3)
    assert not (tmp_path / CHECKPOINT).exists()
    run(tmp_path, STEPS, until=2)
    assert rows(tmp_path) == [1, 2]


def test_a_full_disk_keeps_the_last_checkpoint(
    straight: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, calls = weights.save_file, []

    def filling(tensors: object, path: Path, metadata: object) -> None:
        calls.append(path)
        if len(calls) == 2:
            path.write_bytes(b"half a checkpoint")
            raise OSError(errno.ENOSPC, "No space left on device")
        save(tensors, path, metadata)  # type: ignore[arg-type]

    monkeypatch.setattr(weights, "save_file", filling)
    with pytest.raises(StorageError, match="the disk is full"):
        run(tmp_path, STEPS)
    assert load_state(tmp_path / CHECKPOINT)["index"] == 4
    assert not list(tmp_path.glob(".*.tmp"))
    assert run(tmp_path, STEPS).digest() == straight


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError):
        run(tmp_path / "file" / "run", STEPS)


def test_a_loss_that_is_not_finite_stops_the_run(straight: str, tmp_path: Path) -> None:
    sick = Toy()
    sick.poison_at = 6
    with pytest.raises(Diverged, match="step 6: loss became nan"):
        run(tmp_path, STEPS, sick)
    assert load_state(tmp_path / CHECKPOINT)["index"] == 4
    assert rows(tmp_path)[-1] == 6
    assert run(tmp_path, STEPS).digest() == straight


@pytest.mark.parametrize("content", [b"", b"damaged" * 100])
def test_a_damaged_checkpoint_is_named(content: bytes, tmp_path: Path) -> None:
    run(tmp_path, STEPS, until=5)
    (tmp_path / CHECKPOINT).write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot resume from") as caught:
        run(tmp_path, STEPS)
    assert "\n" not in str(caught.value)
    assert (tmp_path / CHECKPOINT).read_bytes() == content


def test_a_checkpoint_of_another_training_is_named(tmp_path: Path) -> None:
    run(tmp_path, STEPS, until=5)
    with pytest.raises(CheckpointError, match="another kind of training") as caught:
        run(tmp_path, STEPS, Toy(size=4))
    assert "\n" not in str(caught.value)


class Temperate(Toy):
    """A toy that dies at a step unless its rate was lowered."""

    def __init__(self, dies_at: int, tempers: int = 1) -> None:
        super().__init__()
        self.dies_at, self.tempers, self.rate = dies_at, tempers, 1.0

    def step(self, batch, index, total, rng):
        log = super().step(batch, index, total, rng)
        sick = index == self.dies_at and self.rate > 0.5**self.tempers
        return {"loss": float("nan")} if sick else log

    def temper(self, factor):
        self.rate *= factor

    def state(self):
        return {**super().state(), "rate": self.rate}

    def load_state(self, state):
        super().load_state(state)
        self.rate = state["rate"]


def test_a_run_that_dies_goes_back_once_with_a_lower_rate(tmp_path: Path) -> None:
    toy, batches = Temperate(dies_at=6), Batches()
    steps = list(train(toy, batches, {"inputs": batches.batch(0)["inputs"]},
                       Schedule(steps=STEPS, **SCHEDULE), tmp_path, 7))  # fmt: skip
    assert [step.index for step in steps] == [*range(6), 4, *range(4, STEPS)]
    assert steps[6].scalars == {"rolled_back": 4.0}
    assert toy.rate == 0.5
    lines = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 4, *range(5, STEPS + 1)]
    assert "step 6: loss became nan" in lines[4]["rolled_back"]


def test_a_kill_after_going_back_resumes_with_the_lower_rate(tmp_path: Path) -> None:
    straight, folder = Temperate(dies_at=6), tmp_path / "straight"
    run(folder, STEPS, straight)
    stopped = tmp_path / "stopped"
    run(stopped, STEPS, Temperate(dies_at=6), until=6)  # dies in the next step; not yet
    batches = Batches()
    going = train(Temperate(dies_at=6), batches, {"inputs": batches.batch(0)["inputs"]},
                  Schedule(steps=STEPS, **SCHEDULE), stopped, 7)  # fmt: skip
    for step in going:
        if "rolled_back" in step.scalars:
            going.close()
            break
    again = run(stopped, STEPS, Temperate(dies_at=6))
    assert again.rate == 0.5
    assert again.digest() == straight.digest()


def test_a_run_that_dies_twice_stops(tmp_path: Path) -> None:
    with pytest.raises(Diverged, match=r"loss became nan.*went back .* once already"):
        run(tmp_path, STEPS, Temperate(dies_at=6, tempers=2))
    assert load_state(tmp_path / CHECKPOINT)["rolled_back"] is True
    assert load_state(tmp_path / HEALTHY)["index"] == 4


def test_a_run_that_dies_before_its_first_checkpoint_stops(tmp_path: Path) -> None:
    with pytest.raises(Diverged, match="step 2: loss became nan"):
        run(tmp_path, STEPS, Temperate(dies_at=2))


def test_only_the_first_process_writes(
    straight: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both resume from what one of them wrote, and end alike."""
    monkeypatch.setattr(Team, "wait", lambda _: None)  # there is no other process
    run(tmp_path, STEPS, until=5)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    second, batches = Toy(), Batches()
    schedule = Schedule(steps=STEPS, **SCHEDULE)
    steps = train(second, batches, {}, schedule, tmp_path, 7, team=Team(1, 2))
    assert [step.index for step in steps] == list(range(4, STEPS))
    assert second.digest() == straight
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert run(tmp_path, STEPS).digest() == straight
