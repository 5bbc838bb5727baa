"""Which frames are on a strip, how large, in which order."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phosphene.studio.strip import MOST_IN_A_ROW, SHOWN_SIDE, frames_shown, small, strip_of, to_side


@pytest.mark.parametrize(
    ("count", "num_shown", "loop", "shown"),
    [
        (7, 4, False, [0, 2, 4, 6]),
        (8, 4, True, [0, 2, 4, 6]),
        (3, 10, False, [0, 1, 2]),
        (1, 5, False, [0]),
        (9, 1, False, [0]),
    ],
)
def test_frames_are_evenly_spaced(count, num_shown, loop, shown):
    assert frames_shown(count, num_shown, loop) == shown


@given(st.integers(1, 200), st.integers(1, 64), st.booleans())
def test_no_frame_is_shown_twice(count, num_shown, loop):
    shown = frames_shown(count, num_shown, loop)
    assert sorted(set(shown)) == shown
    assert len(shown) == min(count, num_shown)
    assert shown[0] == 0
    assert shown[-1] < count


def test_they_stand_in_rows():
    frames = [torch.full((1, 3, 4, 4), i / 100) for i in range(MOST_IN_A_ROW + 1)]
    strip = strip_of(frames)
    assert strip.shape == (3, 2 * 6 + 2, MOST_IN_A_ROW * 6 + 2)
    assert float(strip[0, 2, 2 + 6]) == pytest.approx(0.01)
    assert float(strip[0, 8, 2]) == pytest.approx(MOST_IN_A_ROW / 100)


def test_sizes():
    tall = torch.zeros(1, 3, 4 * SHOWN_SIDE, SHOWN_SIDE)
    assert small(tall).shape == (1, 3, SHOWN_SIDE, SHOWN_SIDE // 4)
    assert small(tall[..., :9, :9]).shape == (1, 3, 9, 9)
    assert to_side(tall[..., :9, :3], 30).shape == (1, 3, 30, 10)
