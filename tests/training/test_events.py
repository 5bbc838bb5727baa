"""TensorBoard reads what a run wrote: every step once, however often the run was stopped."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from phosphene.core.errors import MissingTool, StorageError
from phosphene.core.images import png_bytes
from phosphene.training import events
from phosphene.training.events import PATTERN, Events
from phosphene.training.loop import METRICS, Schedule, train
from tests.training.test_loop import Temperate
from tests.training.toy_run import Batches, Toy

STEPS = 11


def read(folder: Path) -> list[Any]:
    """All events of the folder, by TensorBoard's own reader, in the order of the file names."""
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    files = sorted(folder.glob(PATTERN))
    return [event for path in files for event in LegacyEventFileLoader(str(path)).Load()]


def steps_of(folder: Path, tag: str = "loss") -> list[int]:
    found = read(folder)
    return [e.step for e in found if any(value.tag == tag for value in e.summary.value)]


def run(folder: Path, until: int | None = None, toy: Toy | None = None) -> None:
    batches = Batches()
    schedule = Schedule(steps=STEPS, checkpoint_every=4, sheet_every=6, tensorboard=True)
    going = train(toy or Toy(), batches, batches.batch(0), schedule, folder, 7)
    for step in going:
        if until is not None and step.index + 1 >= until:
            going.close()


def test_numbers_and_sheets_are_read_back(tmp_path: Path) -> None:
    made = Events(tmp_path, 0)
    picture = torch.zeros(3, 2, 5)
    made.scalars(1, {"d": 0.5, "kimg": 2.0})
    made.sheet(1, png_bytes(picture), picture.shape)
    made.close()
    version, numbers, sheet = read(tmp_path)
    assert version.file_version == "brain.Event:2"
    assert numbers.step == 1
    assert abs(numbers.wall_time - time.time()) < 60
    assert {v.tag: v.simple_value for v in numbers.summary.value} == {"d": 0.5, "kimg": 2.0}
    image = sheet.summary.value[0].image
    assert (image.width, image.height, image.colorspace) == (5, 2, 3)
    assert image.encoded_image_string == png_bytes(picture)


def test_the_accumulator_of_tensorboard_agrees(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(tmp_path)
    board = EventAccumulator(str(tmp_path))
    board.Reload()
    rows = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    losses = board.Scalars("loss")
    assert [event.step for event in losses] == [row["step"] for row in rows]
    assert [e.value for e in losses] == pytest.approx([row["loss"] for row in rows], rel=1e-6)
    assert [event.step for event in board.Images("sheet")] == [6, 11]


@pytest.mark.parametrize("until", [3, 4, 6, 9])
def test_no_step_is_doubled_or_missing(until: int, tmp_path: Path) -> None:
    run(tmp_path, until)
    run(tmp_path, until)
    run(tmp_path)
    assert steps_of(tmp_path) == list(range(1, STEPS + 1))
    assert steps_of(tmp_path, "sheet") == [6, 11]
    assert len(list(tmp_path.glob(PATTERN))) == 1


@pytest.mark.parametrize("rest", [b"\x07", b"\x09" + b"\0" * 11 + b"\xff", b"\xff" * 40])
def test_what_a_kill_leaves_is_dropped(rest: bytes, tmp_path: Path) -> None:
    run(tmp_path, 8)
    (old,) = tmp_path.glob(PATTERN)
    with old.open("ab") as file:
        file.write(rest)
    run(tmp_path)
    assert steps_of(tmp_path) == list(range(1, STEPS + 1))
    assert not old.exists(), "a TensorBoard that watches reads the new file, not the old inode"


def test_a_run_that_went_back_has_each_step_once(tmp_path: Path) -> None:
    run(tmp_path, toy=Temperate(dies_at=6))
    assert steps_of(tmp_path) == list(range(1, STEPS + 1))


def test_an_untouched_file_is_gone_on_with(tmp_path: Path) -> None:
    first = Events(tmp_path, 0)
    first.scalars(1, {"d": 1.0})
    first.close()
    again = Events(tmp_path, 1)
    assert again.path == first.path
    again.scalars(2, {"d": 2.0})
    again.close()
    assert steps_of(tmp_path, "d") == [1, 2]


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "has_tensorboard", lambda: False)
    with pytest.raises(MissingTool, match="pip install tensorboard"):
        Events(tmp_path, 0)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError):
        Events(tmp_path / "file", 0)
