"""Shifts: closed forms, and that chance alone is not taken for one."""

import pytest
import torch

from phosphene.core.errors import RecipeError
from phosphene.core.rng import Rng
from phosphene.metrics.shift import shift_of


def shift(plain, treated):
    def squared(x, y):
        return (x[:, None] - y[None]).square().sum(dim=-1)

    return shift_of(squared(plain, plain), squared(treated, treated), squared(plain, treated))


def test_closed_form():
    plain = torch.tensor([[0.0], [2.0]])
    found = shift(plain, plain + 3)
    assert found.pair == 9
    assert found.chance == 4
    assert found.beyond == (25 + 1) / 2 - 4  # 9, the square of what was added


def test_the_same_pictures_are_not_shifted_at_all():
    plain = Rng((0,)).normal(4, 8)[0]
    assert shift(plain, plain)[::2] == (0, 0)


def test_what_chance_changes_is_no_shift():
    found = [shift(*Rng((trial,)).normal(2, 3, 8)[0]) for trial in range(400)]
    mean = sum(s.beyond for s in found) / 400
    assert abs(mean) < 0.4
    assert sum(s.pair for s in found) / 400 == pytest.approx(16, rel=0.05)


def test_a_common_change_is_found_among_larger_ones_by_chance():
    added = torch.full((8,), 0.5)
    found = []
    for trial in range(400):
        plain, treated = Rng((trial,)).normal(2, 3, 8)[0]
        found.append(shift(plain, treated + added).beyond)
    assert sum(found) / 400 == pytest.approx(2, abs=0.5)


def test_one_seed_tells_nothing():
    with pytest.raises(RecipeError, match="at least two"):
        shift(torch.zeros(1, 1), torch.ones(1, 1))
