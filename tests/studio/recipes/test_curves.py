"""Curves: straight lines between keyframes, held at the ends; words that hold until the next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phosphene.studio.recipes.curves import (
    MAX_FRAMES,
    Key,
    curve,
    value_at,
    within,
    words,
    words_at,
)

values = st.floats(-1e6, 1e6)
frames = st.integers(0, MAX_FRAMES)
keyframes = st.dictionaries(frames, values, min_size=1, max_size=6).map(
    lambda found: sorted(found.items())
)


def spelt(keys):
    return ", ".join(f"{frame}:{value!r}" for frame, value in keys)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("1.02", (Key(0, 1.02),)),
        (" -3 ", (Key(0, -3),)),
        ("1e-2", (Key(0, 0.01),)),
        ("0:1, 30:1.05, 60:1", (Key(0, 1), Key(30, 1.05), Key(60, 1))),
        ("10: -.5 ,20 :5,", (Key(10, -0.5), Key(20, 5))),
    ],
)
def test_what_is_read(text, keys):
    assert curve(text) == keys


@pytest.mark.parametrize(
    ("frame", "value"), [(0, 2), (10, 2), (15, 3), (20, 4), (30, 1), (35, -0.5), (40, -2), (99, -2)]
)
def test_straight_lines_held_at_the_ends(frame, value):
    assert value_at("10:2, 20:4, 40:-2", frame) == pytest.approx(value)


@given(keyframes, frames)
def test_values_are_the_linear_interpolation(keys, frame):
    text, found = spelt(keys), value_at(spelt(keys), frame)
    assert found == value_at(text, frame)
    low = [key for key in keys if key[0] <= frame]
    high = [key for key in keys if key[0] >= frame]
    if not low or not high:
        assert found == (high or low)[0 if high else -1][1]
        return
    (a, x), (b, y) = low[-1], high[0]
    wanted = x if a == b else x + (y - x) * (frame - a) / (b - a)
    assert found == pytest.approx(wanted, rel=1e-9, abs=1e-6)
    assert min(x, y) <= found <= max(x, y)


@given(values, frames)
def test_a_number_holds_throughout(value, frame):
    assert value_at(repr(value), frame) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty"),
        ("x", "'x' is neither"),
        ("nan", "'nan' is neither"),
        ("inf", "neither"),
        ("1_0", "neither"),
        ("0:1, 2", "'2' is neither"),
        ("0:1, a:2", "'a:2' is neither"),
        ("-1:1", "neither"),
        ("0.5:1", "neither"),
        ("0:", "neither"),
        ("5:1, 5:2", "should rise; frame 5 follows 5"),
        ("5:1, 2:2", "should rise; frame 2 follows 5"),
        ("99999:1", "a frame up to 10000"),
        ("0:1e999", "a finite value"),
        ("1e999", "neither"),
    ],
)
def test_what_is_not_a_curve(text, said):
    with pytest.raises(ValueError, match=said):
        curve(text)


@given(st.text(max_size=30))
def test_no_text_gives_another_error(text):
    for read in (curve, words):
        said = "one line"
        try:
            read(text)
        except ValueError as error:
            said = str(error)
        assert len(said.splitlines()) == 1


def test_within_looks_at_every_keyframe():
    assert within(0, 1)("0:0, 5:1") == "0:0, 5:1"
    with pytest.raises(ValueError, match="2 at frame 5 should be 0 to 1"):
        within(0, 1)("0:0, 5:2")
    with pytest.raises(ValueError, match="0 at frame 0 should be above 0, up to 1"):
        within(0, 1, above=True)("0:0, 5:1")


def test_words_are_read():
    assert words("0: a fox; 30: an owl") == {"0": "a fox", "30": "an owl"}
    assert words("0: a fox:1.5 | neon; big") == {"0": "a fox:1.5 | neon; big"}
    for text, said in (
        ("a fox", "should be a frame and its words"),
        ("0:", "should be a frame and its words"),
        ("0: a; 00: b", "frame 0 is named twice"),
        ("0: a; 123456: b", "should be a frame"),
    ):
        with pytest.raises(ValueError, match=said):
            words(text)


@given(st.dictionaries(st.integers(0, 50), st.text(max_size=3), max_size=5), st.integers(0, 50))
def test_words_hold_until_the_next(prompts, frame):
    wanted = "else"
    for number in range(frame + 1):
        wanted = prompts.get(number, wanted)
    assert words_at(prompts, frame, "else") == wanted
