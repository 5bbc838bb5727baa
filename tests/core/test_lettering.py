"""Labels: where pictures and letters stand, lines that break, symbols by name."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phosphene.core.lettering import GAP, MOST_LINES, Letters, labelled, spoken


def grey(value, height=20, width=30, channels=3):
    return torch.full((channels, height, width), value)


def dark(field):
    return bool((field < 0).any())


def test_without_labels_pictures_stand_side_by_side():
    a, b = grey(-0.5), grey(0.25)
    sheet = labelled([[a, b]], [], [])
    assert sheet.shape == (3, 20 + 2 * GAP, 2 * 30 + 3 * GAP)
    assert torch.equal(sheet[:, GAP : GAP + 20, GAP : GAP + 30], a)
    assert torch.equal(sheet[:, GAP : GAP + 20, 2 * GAP + 30 : 2 * GAP + 60], b)
    assert (sheet[:, :GAP] == 1).all()


def test_labels_stand_in_the_margins_of_their_pictures():
    cells = [[grey(0.0), grey(0.0)], [grey(0.0), None]]
    sheet = labelled(cells, ["seed 1", ""], ["psi 0", ""])
    bottom, right = 2 * (20 + GAP), 2 * (30 + GAP)
    top, left = sheet.shape[1] - bottom, sheet.shape[2] - right
    assert dark(sheet[:, :top, left : left + 30])  # "psi 0"
    assert not dark(sheet[:, :top, left + 30 :])
    assert dark(sheet[:, top : top + 20, :left])  # "seed 1"
    assert not dark(sheet[:, top + 20 :, :left])
    assert not dark(sheet[:, :top, :left])
    assert (sheet[:, top + 20 + GAP :, left + 30 + GAP :] == 1).all()  # None stays white


def test_pictures_of_other_shapes_stand_in_the_middle():
    clear = torch.cat([grey(-1.0, 10, 10), grey(0.0, 10, 10, 1)])  # half black
    sheet = labelled([[grey(0.0, 20, 30), clear, grey(-0.5, 20, 30, 1)]], [], [])
    assert (sheet[:, GAP + 5 : GAP + 15, 2 * GAP + 40 : 2 * GAP + 50] == 0).all()
    assert (sheet[:, GAP : GAP + 4, 2 * GAP + 30 : 2 * GAP + 60] == 1).all()
    assert (sheet[:, GAP : GAP + 20, 3 * GAP + 60 : 3 * GAP + 90] == -0.5).all()


def test_lines_break_between_words_and_long_ones_end_in_an_ellipsis():
    letters = Letters(12)
    assert letters.wrapped("psi 0.5", 100) == ["psi 0.5"]
    assert letters.wrapped("truncation threshold", 80) == ["truncation", "threshold"]
    lines = letters.wrapped("a red fox in the deep snow of a very long winter night", 50)
    assert len(lines) == MOST_LINES
    assert lines[-1].endswith("…")


@given(st.text(max_size=80), st.integers(20, 200))
def test_any_text_fits(text, width):
    letters = Letters(12)
    lines = letters.wrapped(text, width)
    assert 1 <= len(lines) <= MOST_LINES
    assert letters.written(lines, width, 80).shape == (3, 80, width)


@pytest.mark.parametrize(
    ("text", "said"),
    [("green 💚", "green green heart"), ("緑  の", "緑 の"), ("☂️x", "umbrella ️x"), ("", "")],
)
def test_symbols_are_spelled(text, said):
    assert spoken(text) == said
