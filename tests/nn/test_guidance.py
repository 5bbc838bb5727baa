"""Words that count more or less, as differences of prompts; guidance as the formula says."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phosphene.nn.guidance import led, terms_of


def test_plain_words_are_one_term() -> None:
    assert terms_of([("a red fox", 1.0)]) == [("a red fox", 1.0)]


def test_a_stressed_word_is_a_difference() -> None:
    assert terms_of([("a ", 1.0), ("red ", 1.5), ("fox", 1.0)]) == [
        ("a red fox", 1.5),
        ("a fox", -0.5),
    ]


def test_a_word_that_counts_nothing_is_left_out() -> None:
    terms = terms_of([("a fox ", 1.0), ("in snow", 0.0)])
    assert [term for term in terms if term[1]] == [("a fox", 1.0)]


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=5))
def test_terms_add_up_to_one(weights) -> None:
    terms = terms_of([(f"word{i} ", weight) for i, weight in enumerate(weights)])
    assert sum(weight for _, weight in terms) == pytest.approx(1)


NUMBER = st.floats(-3, 3)


@given(NUMBER, NUMBER, NUMBER, NUMBER, st.floats(0, 12))
def test_guidance_is_the_formula(c, d, weight, u, scale) -> None:
    said, unsaid = [torch.full((2,), c), torch.full((2,), d)], torch.full((2,), u)
    got = led(said, [1 - weight, weight], unsaid, scale)
    towards = (1 - weight) * c + weight * d
    torch.testing.assert_close(
        got, torch.full((2,), u + scale * (towards - u)), atol=1e-4, rtol=1e-4
    )


def test_without_anything_to_leave_it_is_what_is_said() -> None:
    assert led([torch.ones(2)], [1.0], None, 7.0).tolist() == [1, 1]


def test_each_part_is_told_its_own_and_the_rest_the_whole() -> None:
    """A place that is in two parts takes their mean; one half in a part, half of each."""
    whole, one, other = (torch.full((1, 1, 2, 2), x) for x in (1.0, 10.0, 100.0))
    first = torch.tensor([[[[1.0, 0.0], [0.5, 1.0]]]])
    second = torch.tensor([[[[0.0, 0.0], [0.0, 1.0]]]])
    got = led([whole, one, other], [1.0, 1.0, 1.0], None, 1.0, [None, first, second])
    assert got.tolist() == [[[[10.0, 1.0], [5.5, 55.0]]]]
    away = torch.zeros(1, 1, 2, 2)
    torch.testing.assert_close(
        led([whole, one, other], [1.0] * 3, away, 3.0, [None, first, second]), 3 * got
    )
