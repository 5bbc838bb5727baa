"""Paths as data: times, easings, and what they refuse."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phosphene.core.errors import RecipeError
from phosphene.explore.path_text import parse_path
from phosphene.explore.paths import (
    EASINGS,
    Mix,
    Path,
    Stop,
    Term,
    Track,
    frame_times,
    is_picture,
    layers_of,
    pictures_in,
    spell,
)


def mix(name, weight=1.0):
    return Mix((Term(weight, name),))


def track(*stops, **words):
    """Stops as names or (name, time)."""
    pairs = [stop if isinstance(stop, tuple) else (stop, None) for stop in stops]
    return Track(tuple(Stop(mix(name), at) for name, at in pairs), **words)


@pytest.mark.parametrize("ease", EASINGS)
def test_easings_begin_and_end_and_never_go_back(ease):
    curve = EASINGS[ease]
    assert curve(0.0) == 0
    assert curve(1.0) == pytest.approx(1, abs=1e-12)
    values = [curve(i / 100) for i in range(101)]
    assert values == sorted(values)


def test_easings_in_closed_form():
    assert EASINGS["smooth"](0.25) == 0.15625
    assert EASINGS["smoother"](0.5) == 0.5
    assert EASINGS["sine"](1 / 3) == pytest.approx(0.25)
    assert EASINGS["ease-in"](0.5) == 0.25
    assert EASINGS["ease-out"](0.5) == 0.75
    assert EASINGS["hold"](0.99) == 0


def test_stops_without_times_are_spread_evenly():
    assert track("1", "2", "3").times(False) == [0, 0.5, 1]
    assert track("1", "2", "3", "4").times(True) == [0, 0.25, 0.5, 0.75, 1]
    assert track("1").times(False) == [0]
    assert track("1").times(True) == [0, 1]
    assert track("1", ("2", 0.2), "3").times(False) == [0, 0.2, 1]
    assert track("1", "2", ("3", 0.2), "4").times(False) == [0, 0.1, 0.2, 1]
    assert track(("1", 0.25), ("2", 0.5)).times(False) == [0.25, 0.5]
    assert track(("1", 0.25), "2").times(True) == [0.25, 0.75, 1.25]


def test_held_stops_last_equally_long():
    assert track("1", "2", ease="hold").times(False) == [0, 0.5, 1]
    assert track("1", "2", ease="hold").times(True) == [0, 0.5, 1]


@settings(max_examples=20)
@given(count=st.integers(1, 500))
def test_frames_of_a_loop_stop_one_step_early(count):
    closed, open_ = frame_times(count, True), frame_times(count, False)
    assert len(closed) == len(open_) == count
    assert closed[-1] == (count - 1) / count
    assert open_[-1] == (1 if count > 1 else 0)
    assert closed[0] == open_[0] == 0


@settings(max_examples=20)
@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_spelled_to_be_read_again(number):
    assert float(spell(number)) == number
    assert "+" not in spell(number)


def test_values_are_spelled():
    assert str(Mix((Term(0.5, "fox"), Term(-1, "owl"), Term(-2, "bow tie")))) == (
        "0.5*fox - owl - 2*bow tie"
    )
    assert str(mix("7", -1)) == "-7"
    assert str(mix("tench, Tinca tinca")) == '"tench, Tinca tinca"'
    assert str(Mix((Term(1, function="sin", arguments=(mix("7"),)),))) == "sin(7)"
    assert mix("0.25", -2).number == -0.5
    assert math.isnan(mix("fox").number)


def test_layers_of_a_track():
    assert layers_of("w[coarse]") == "coarse"
    assert layers_of("w[ 0-3 ]") == "0-3"
    assert layers_of("w") is None
    assert layers_of("w[]") is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Path, "no keyframes leads nowhere; name what moves"),
        (lambda: Track(()), "no keyframes leads nowhere; give a stop"),
        (
            lambda: Path({"truncation": track("1")}),
            "unknown track 'truncation'; there is z, w, class",
        ),
        (lambda: Path({"clas": track("1")}), "did you mean 'class'"),
        (lambda: track("1", ease="smoth"), "unknown easing 'smoth'; did you mean 'smooth'"),
        (lambda: track("1", way="curved"), "unknown way 'curved'; did you mean 'curve'"),
        (lambda: track(("1", 1.5)), "@1.5; times go from 0 to 1"),
        (lambda: track(("1", math.nan)), "@nan; times go from 0 to 1"),
        (lambda: track(("1", 0.5), ("2", 0.5)), "@0.5 after one at @0.5; let times rise"),
        (lambda: Path({"z": track("1", ("2", 0.0))}), "no time is left for keyframe 2 after @0"),
        (lambda: Path({"z": track("1", ("2", 1.0), "3")}), "no time is left for keyframe 3"),
        (lambda: Path({"z": track("fox")}), "z = 'fox' is no seed; use a whole number"),
        (lambda: Path({"z": track("9" * 30)}), "is no seed"),
        (lambda: Path({"z": track(str(2**63))}), "is no seed"),
        (lambda: Path({"class": track("")}), "class has an empty keyframe"),
        (lambda: Path({"psi": track("1", "-0.5")}), "psi is -0.5; use 0 "),
        (lambda: Path({"psi": track("half")}), "psi = half is no number"),
        (lambda: Path({"psi": track("nan")}), "psi = nan is no number"),
        (lambda: Path({"move": track("7")}), "move = 7: 7 is no direction; there are pc0, pc1"),
        (lambda: Path({"move": track("pc12345")}), "pc12345 is no direction"),
        (lambda: Path({"z": track("1"), "w": track("2")}), "in z or in w, not in both"),
        (lambda: Path({"z": Track((Stop(mix("1", math.inf)),))}), "finite numbers"),
        (lambda: Path({"noise": Track((Stop(mix("1", 2.0)),))}), "layer noise takes a seed"),
        (lambda: Path({"z": Track((Stop(Mix(())),))}), "finite numbers"),
        (lambda: frame_times(0, False), "0 frames make no walk"),
        (lambda: track(*["1"] * 10_001), "10,001 keyframes are too many"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(make, message):
    with pytest.raises(RecipeError) as caught:
        make()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_functions_are_of_z_and_take_their_arguments():
    def of(function, *names):
        return Track((Stop(Mix((Term(1, function=function, arguments=tuple(map(mix, names))),))),))

    Path({"z": of("across", "1", "2")})
    with pytest.raises(RecipeError, match="is no direction"):
        Path({"move": of("sin", "pc0")})
    with pytest.raises(RecipeError, match="only z takes functions"):
        Path({"class": of("sin", "fox")})
    with pytest.raises(RecipeError, match="unknown function 'sine'; did you mean 'sin'"):
        Path({"z": of("sine", "1")})
    with pytest.raises(RecipeError, match=r"across\(1\) has 1 arguments; across takes 2"):
        Path({"z": of("across", "1")})
    with pytest.raises(RecipeError, match="z = 'fox' is no seed"):
        Path({"z": of("sin", "fox")})


def test_pictures_stand_where_seeds_do():
    path = parse_path('z = "a b.png" ~ 0.5*"c.PNG:3" + 7 ~ sin("a b.png"); class = dog.png')
    assert pictures_in(path) == ["a b.png", "c.PNG:3"]
    assert not any(map(is_picture, ("7", "a.jpg", "png", "a.png:x", "a.png.txt")))
    with pytest.raises(RecipeError, match="is no seed"):
        parse_path("noise = a.png")
