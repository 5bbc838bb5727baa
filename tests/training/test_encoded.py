"""Codes are made once, and a batch depends on its step alone."""

import itertools
import tempfile
from pathlib import Path

import pytest
import torch
from torch import Tensor

from phosphene.core.team import Team
from phosphene.training.encoded import SHARD, EncodedBatches
from phosphene.training.example import Example
from tests.pair import Pair

COUNT = SHARD + 40


class Numbered:
    """Pictures that say which one they are, and remember who was asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __len__(self) -> int:
        return 10_000

    def example(self, index: int) -> Example:
        self.asked.append(index)
        image = torch.tensor([index // 256, index % 256, 0], dtype=torch.uint8)
        return Example(image.view(3, 1, 1), f"picture {index}", "number")


def encode(images: Tensor) -> Tensor:
    return (images[:, :1].float() * 256 + images[:, 1:2]).expand(-1, 2, -1, -1)


def batches(folder: Path, source: Numbered | None = None, count: int = COUNT, **options):
    return EncodedBatches(source or Numbered(), encode, folder, count, 16, **options)


def numbers(batch) -> list[int]:
    told = [int(text.split()[1]) for text in batch["captions"]]
    assert batch["codes"][:, 0, 0, 0].tolist() == told
    return told


def test_each_is_encoded_once_and_codes_belong_to_captions(tmp_path) -> None:
    source = Numbered()
    made = batches(tmp_path, source)
    for batch in made.iterate(0, 80):  # two passes and more
        numbers(batch)
    assert sorted(source.asked) == list(range(COUNT))


def test_a_pass_shows_each_once_and_passes_differ(tmp_path) -> None:
    made = batches(tmp_path)
    shown = list(itertools.chain(*(numbers(made.batch(step)) for step in range(3 * COUNT // 16))))
    first, second, third = (shown[i * COUNT : (i + 1) * COUNT] for i in range(3))
    assert first == list(range(COUNT))
    assert sorted(second) == first
    assert second != first
    assert len(third) >= COUNT - 16
    assert third != second[: len(third)]


def test_a_run_that_goes_on_reads_what_was_written(tmp_path) -> None:
    straight = [numbers(batch) for batch in batches(tmp_path / "a").iterate(0, 60)]
    for batch in batches(tmp_path / "b").iterate(0, 30):
        numbers(batch)
    source = Numbered()
    resumed = batches(tmp_path / "b", source)
    assert [numbers(batch) for batch in resumed.iterate(30, 60)] == straight[30:]
    assert min(source.asked) >= SHARD  # the first shard was there


def test_another_seed_is_another_order(tmp_path) -> None:
    steps = range(COUNT // 16 + 1, COUNT // 16 + 4)
    one, other = batches(tmp_path, seed=0), batches(tmp_path, seed=1)
    assert [numbers(one.batch(s)) for s in steps] != [numbers(other.batch(s)) for s in steps]


@pytest.mark.parametrize("damage", ["cut", "emptied", "other"])
def test_a_damaged_shard_is_made_again(tmp_path, damage) -> None:
    batches(tmp_path).batch(0)
    (path,) = tmp_path.glob("*.safetensors")
    whole = path.read_bytes()
    if damage == "other":  # of a run with fewer examples
        path.unlink()
        batches(tmp_path, count=100).batch(0)
    else:
        path.write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"")
    source = Numbered()
    assert numbers(batches(tmp_path, source).batch(1)) == list(range(16, 32))
    assert len(source.asked) == SHARD
    assert path.read_bytes() == whole


def test_codes_are_kept_as_they_come(tmp_path) -> None:
    """Tokens as whole numbers, without a channel."""

    def tokens(images: Tensor) -> Tensor:
        return encode(images)[:, 0].to(torch.int16)

    for _ in range(2):  # made, then read
        made = EncodedBatches(Numbered(), tokens, tmp_path, COUNT, 16)
        codes = made.batch(1)["codes"]
        assert codes.dtype is torch.int16
        assert codes.flatten().tolist() == list(range(16, 32))


def test_fewer_examples_than_wanted(tmp_path) -> None:
    made = batches(tmp_path, count=99_999)
    assert made.num_examples == 10_000


def seen(team: Team) -> list[int]:
    with tempfile.TemporaryDirectory() as folder:
        made = batches(Path(folder), team=team)
        return [number for step in (0, 1, 40) for number in numbers(made.batch(step))]


def test_two_processes_share_a_batch(tmp_path, pair: Pair) -> None:
    whole = batches(tmp_path)
    first, second = pair(seen)
    for turn, step in enumerate((0, 1, 40)):
        rows = slice(turn * 8, turn * 8 + 8)
        assert first[rows] + second[rows] == numbers(whole.batch(step))
