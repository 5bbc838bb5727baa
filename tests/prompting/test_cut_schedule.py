"""Cutouts follow their schedule."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phosphene.prompting.cut_schedule import CutSchedule, NoiseFall
from phosphene.prompting.cutouts import Cutouts


@given(st.floats(0, 2), st.floats(0, 2), st.integers(1, 500))
def test_noise_falls_from_start_to_end_and_begins_anew(start: float, end: float, n: int) -> None:
    fall = NoiseFall(start=start, end=end, iterations=n)
    levels = [fall.at(index) for index in range(n)]
    assert levels[0] == pytest.approx(start)
    assert fall.at(n) == levels[0]
    if n > 1:
        assert levels[-1] == pytest.approx(end)
    low, high = sorted((start, end))
    assert all(low - 1e-9 <= level <= high + 1e-9 for level in levels)
    moves = [b - a for a, b in itertools.pairwise(levels)]
    assert all(move * (end - start) >= -1e-9 for move in moves)


def test_each_step_has_its_cutouts_and_the_rest_stays() -> None:
    cutouts = Cutouts(count=4, size=32, overview=0.5, smallest=0.3, noise=0.2)
    fall = NoiseFall(start=1.0, end=0.0, iterations=11)
    still = CutSchedule(noise=fall)
    assert still.at(10, cutouts) == Cutouts(count=4, size=32, overview=0.5, smallest=0.3, noise=0.0)
    moving = CutSchedule(
        noise=fall, overview=lambda index: 1 - index / 10, smallest=lambda index: 0.9 - index / 20
    )
    first, last = moving.at(0, cutouts), moving.at(10, cutouts)
    assert (first.overview, first.smallest, first.noise) == (1.0, 0.9, 1.0)
    assert (last.overview, last.smallest, last.noise) == (0.0, pytest.approx(0.4), 0.0)
    assert (last.count, last.size) == (4, 32)
