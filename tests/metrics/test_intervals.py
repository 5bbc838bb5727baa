"""Effects of pairs: closed forms, coverage of the interval, and what no pairs can tell."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phosphene.core.errors import RecipeError
from phosphene.core.rng import Rng
from phosphene.metrics.intervals import (
    FEWEST,
    Interval,
    bootstrap_interval,
    effect_of,
    paired_effect_size,
    pairs_needed,
)
from phosphene.metrics.scores import Bootstrap

RNG = Rng((0,))
NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12)


def test_effect_size_in_closed_form():
    assert paired_effect_size(torch.tensor([1.0, 2.0, 3.0])) == 2.0
    assert paired_effect_size(torch.tensor([-1.0, 1.0])) == 0.0
    assert paired_effect_size(torch.tensor([0.0, 4.0])) == pytest.approx(1 / math.sqrt(2))
    assert paired_effect_size(torch.tensor([0.1] * 3)) == math.inf
    assert paired_effect_size(torch.tensor([-0.1] * 3)) == -math.inf
    assert paired_effect_size(torch.zeros(3)) == 0.0


@given(NUMBERS, st.floats(0.01, 100))
def test_effect_size_has_no_unit_and_a_sign(values, scale):
    x = torch.tensor(values, dtype=torch.float64)
    size = paired_effect_size(x)
    assert paired_effect_size(-x) == -size
    if math.isfinite(size) and float(x.std()) > 1e-3:
        assert paired_effect_size(x * scale) == pytest.approx(size, rel=1e-6, abs=1e-9)


def test_an_interval_of_two_values_in_closed_form():
    # means of two draws from {0, 1}: 0, 1/2, 1 with probabilities 1/4, 1/2, 1/4
    x = torch.tensor([0.0, 1.0])
    assert bootstrap_interval(x, RNG) == Interval(0.0, 1.0)
    half = Bootstrap(resamples=5000, share=0.4)  # 30 % to 70 %
    assert bootstrap_interval(x, RNG, half) == Interval(0.5, 0.5)


def test_an_interval_is_that_of_the_normal_for_many_values():
    x = Rng((1,)).normal(400)[0] * 3 + 5
    interval = bootstrap_interval(x, RNG)
    wanted = 1.96 * float(x.std()) / 20
    assert interval.high - float(x.mean()) == pytest.approx(wanted, rel=0.06)
    assert float(x.mean()) - interval.low == pytest.approx(wanted, rel=0.06)


def test_it_holds_the_truth_about_as_often_as_it_says():
    held = 0
    for trial in range(300):
        x = Rng((trial,), "/trial").normal(30)[0]
        held += 0.0 in bootstrap_interval(x, Rng((trial,)), Bootstrap(resamples=400))
    assert 0.88 < held / 300 < 0.98


@given(NUMBERS)
def test_it_lies_within_the_values(values):
    x = torch.tensor(values, dtype=torch.float64)
    interval = bootstrap_interval(x, RNG, Bootstrap(resamples=50))
    assert min(values) <= interval.low <= interval.high <= max(values)


def test_it_is_the_same_for_the_same_seed():
    x = Rng((1,)).normal(9)[0]
    assert bootstrap_interval(x, RNG) == bootstrap_interval(x, RNG)
    few = Bootstrap(resamples=20)
    assert bootstrap_interval(x, RNG, few) != bootstrap_interval(x, Rng((1,)), few)


@pytest.mark.parametrize(
    # the numbers of G*Power's paired t-test, two-sided, alpha 0.05, power 0.8
    ("size", "pairs"),
    [(0.2, 199), (0.3, 90), (0.5, 34), (0.8, 15), (1.0, 10), (-0.5, 34)],
)
def test_pairs_that_are_needed(size, pairs):
    assert abs(pairs_needed(size) - pairs) <= 1


def test_pairs_at_the_ends():
    assert pairs_needed(math.inf) == pairs_needed(9.0) == FEWEST
    assert pairs_needed(0.0) is None
    assert pairs_needed(1e-200) is None
    assert pairs_needed(0.5, power=0.95) > pairs_needed(0.5)


def test_what_pairs_say():
    none = effect_of(torch.tensor([-1.0, 1.0, -2.0, 2.0, 0.5, -0.5]), RNG)
    assert (none.mean, none.size, none.needed) == (0.0, 0.0, None)
    assert none.verdict == "no measurable effect"
    assert not none.measurable
    clear = effect_of(torch.tensor([1.0, 1.2, 0.8, 1.1, 0.9, 1.0]), RNG)
    assert clear.verdict == "a measurable effect"
    assert clear.measurable
    assert clear.needed == FEWEST
    few = effect_of(torch.tensor([1.0, 1.2, 0.8]), RNG)
    assert few.verdict == "too few to tell: 3 of at least 6"
    assert not few.measurable
    assert effect_of(torch.zeros(9), RNG).verdict == "no measurable effect"


def test_what_tells_nothing():
    with pytest.raises(RecipeError, match="at least two"):
        effect_of(torch.ones(1), RNG)
    with pytest.raises(RecipeError, match="not finite"):
        effect_of(torch.tensor([1.0, math.nan]), RNG)
