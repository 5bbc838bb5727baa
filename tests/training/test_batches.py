import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phosphene.core.errors import ImageError, RecipeError
from phosphene.core.team import Team
from phosphene.training.batches import Batches
from phosphene.training.example import Example


class Numbers:
    """Example i is a picture of value i."""

    def __init__(self, count, siblings=1):
        self.count, self.siblings = count, siblings

    def __len__(self):
        return self.count

    def example(self, index):
        assert 0 <= index < self.count
        return Example(torch.full((3, 2, 2), index % 256, dtype=torch.uint8), f"n {index}", "n")


def drawn(batches, start, stop):
    return [index for step in range(start, stop) for index in batches.indices(step)]


def test_batches_have_the_promised_form():
    batch = Batches(Numbers(10), 4).batch(0)
    assert set(batch) == {"images", "captions"}
    assert batch["images"].shape == (4, 3, 2, 2)
    assert batch["images"].dtype == torch.uint8
    assert isinstance(batch["captions"], tuple)
    values = batch["images"][:, 0, 0, 0].tolist()
    assert [f"n {value}" for value in values] == list(batch["captions"])


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 5))
def test_an_epoch_is_a_permutation(count, batch_size, seed):
    batches = Batches(Numbers(count), batch_size, seed)
    steps = -(-2 * count // batch_size)
    seen = drawn(batches, 0, steps)
    assert sorted(seen[:count]) == list(range(count))
    assert sorted(seen[count : 2 * count]) == list(range(count))


def test_epochs_and_seeds_differ():
    batches = Batches(Numbers(50), 10)
    assert drawn(batches, 0, 5) != drawn(batches, 5, 10)
    assert drawn(batches, 0, 5) != drawn(Batches(Numbers(50), 10, seed=1), 0, 5)
    assert drawn(batches, 0, 5) == drawn(Batches(Numbers(50), 10), 0, 5)


def test_siblings_stay_together():
    seen = drawn(Batches(Numbers(20, siblings=4), 8), 0, 5)
    groups = [seen[i : i + 4] for i in range(0, 20, 4)]
    assert all(group == list(range(group[0], group[0] + 4)) for group in groups)
    assert sorted(group[0] for group in groups[:5]) == [0, 4, 8, 12, 16]
    assert all(index < 18 for index in drawn(Batches(Numbers(18, siblings=4), 4), 0, 20))


def equal(a, b):
    return a["captions"] == b["captions"] and torch.equal(a["images"], b["images"])


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_iterating_equals_asking_and_resuming(workers):
    batches = Batches(Numbers(23), 5, seed=3, workers=workers)
    through = list(batches.iterate(0, 12))
    resumed = list(batches.iterate(7, 12))
    assert len(through) == 12
    assert all(equal(a, b) for a, b in zip(through[7:], resumed, strict=True))
    assert all(equal(a, batches.batch(i)) for i, a in enumerate(through))
    assert list(batches.iterate(5, 5)) == []


def test_closing_early_and_errors_inside():
    iterator = Batches(Numbers(9), 2).iterate(0, 1000)
    next(iterator)
    iterator.close()

    class Failing(Numbers):
        def example(self, index):
            raise ImageError("cannot read it")

    with pytest.raises(ImageError, match="cannot read it"):
        next(Batches(Failing(3), 2).iterate(0, 5))


@pytest.mark.parametrize(
    ("count", "kwargs", "message"),
    [
        (0, {"batch_size": 1}, "no examples"),
        (3, {"batch_size": 0}, "batch size 0"),
        (3, {"batch_size": 1, "workers": -1}, "workers -1"),
    ],
)
def test_wrong_requests(count, kwargs, message):
    with pytest.raises(RecipeError, match=message):
        Batches(Numbers(count), **kwargs)


def test_the_batches_of_scenes(emoji_set):
    from phosphene.training.scenes import SceneSource

    source = SceneSource(emoji_set, size=16)
    first = Batches(source, 3).batch(5)
    again = Batches(SceneSource(emoji_set, size=16), 3).batch(5)
    assert equal(first, again)


def test_a_team_shares_each_batch_out():
    source = Numbers(30)
    whole, team = Batches(source, 8), [Team(rank, 2) for rank in range(2)]
    parts = [Batches(source, 8, team=one, groups=2) for one in team]
    for step in (0, 3):
        chosen = whole.indices(step)
        assert parts[0].indices(step) == [*chosen[0:2], *chosen[4:6]]
        assert parts[1].indices(step) == [*chosen[2:4], *chosen[6:8]]
    assert parts[1].batch_size == 8
    assert len(parts[1].batch(0)["images"]) == 4
    with pytest.raises(RecipeError, match=r"batch of 7 .* 2 processes; choose a multiple of 2"):
        Batches(source, 7, team=team[0])
