"""Even perceived speed, where the right times are known in closed form."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phosphene.core.errors import Diverged, RecipeError
from phosphene.explore.pace import ROUNDS, Pace, pacing, unevenness


def even_pace(count, loop, distances, rounds=ROUNDS):
    """Measure as often as asked."""
    going = pacing(count, loop, rounds)
    times = next(going)
    while True:
        try:
            times = going.send(distances(times))
        except StopIteration as done:
            return done.value


def along(position):
    """Distances of frames that move on a line as `position` says."""

    def distances(times):
        places = [position(time) for time in times]
        return [abs(b - a) for a, b in itertools.pairwise(places)]

    return distances


def test_unevenness_is_the_coefficient_of_variation():
    assert unevenness([2, 2, 2]) == 0
    assert unevenness([1, 3]) == 0.5
    assert unevenness([0, 0]) == 0
    assert unevenness([]) == 0


def test_a_square_law_is_undone_by_its_root():
    pace = even_pace(11, False, along(lambda t: t * t), rounds=8)
    for k, time in enumerate(pace.times):
        assert time == pytest.approx(math.sqrt(k / 10), abs=0.01)
    # steps of t²: 2k + 1 hundredths
    assert pace.before == pytest.approx(unevenness([2 * k + 1 for k in range(10)]))
    assert pace.after < 0.02 < pace.before


def test_even_speed_is_left_alone():
    pace = even_pace(5, False, along(lambda t: 3 * t))
    assert pace == Pace((0.0, 0.25, 0.5, 0.75, 1.0), 0.0, 0.0, 0)


def test_a_loop_on_an_uneven_circle():
    def angle(t):
        return 2 * math.pi * t + 0.8 * math.sin(2 * math.pi * t)

    def chords(times):
        points = [(math.cos(angle(t)), math.sin(angle(t))) for t in times]
        return [math.dist(a, b) for a, b in itertools.pairwise(points)]

    pace = even_pace(24, True, chords, rounds=10)
    assert len(pace.times) == 24
    assert pace.times[0] == 0
    assert pace.times[-1] < 1
    assert pace.before > 0.3
    assert pace.after < 0.02
    for k, time in enumerate(pace.times):
        assert angle(time) == pytest.approx(2 * math.pi * k / 24, abs=0.06)


def test_frames_leave_a_stretch_where_nothing_happens():
    pace = even_pace(9, False, along(lambda t: max(0.0, t - 0.5)), rounds=6)
    assert sum(time < 0.499 for time in pace.times) == 1
    assert pace.after < 0.02


def test_a_jump_cannot_be_smoothed_and_does_no_harm():
    pace = even_pace(9, False, along(lambda t: float(t > 0.37)), rounds=6)
    assert pace.after <= pace.before
    assert list(pace.times) == sorted(pace.times)


def test_nothing_moves_at_all():
    assert even_pace(4, True, lambda times: [0.0] * (len(times) - 1)) == Pace(
        (0.0, 0.25, 0.5, 0.75), 0.0, 0.0, 0
    )


@settings(max_examples=50)
@given(
    count=st.integers(3, 30),
    loop=st.booleans(),
    steps=st.lists(st.floats(0, 10), min_size=2, max_size=12),
)
def test_it_never_gets_worse_and_never_goes_back(count, loop, steps):
    def position(t):
        whole, part = divmod(t * len(steps), 1)
        done = sum(steps[: int(whole)])
        return done + (part * steps[int(whole)] if whole < len(steps) else 0)

    pace = even_pace(count, loop, along(position))
    assert pace.after <= pace.before
    assert len(pace.times) == count
    assert pace.times[0] == 0
    assert list(pace.times) == sorted(pace.times)
    assert pace.times[-1] <= 1


def test_what_cannot_be_spaced_is_refused():
    with pytest.raises(RecipeError, match="2 frames cannot be spaced; use 3 or more"):
        even_pace(2, False, along(lambda t: t))
    with pytest.raises(RecipeError, match="1 frames cannot be spaced; use 2 or more"):
        even_pace(1, True, along(lambda t: t))
    with pytest.raises(Diverged, match="distance between two frames is nan"):
        even_pace(3, False, lambda times: [math.nan, 1.0])
    with pytest.raises(ValueError, match="1 distances between 3 frames"):
        even_pace(3, False, lambda times: [1.0])
