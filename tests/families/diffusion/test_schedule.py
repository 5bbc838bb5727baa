"""The straight path and its steps."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phosphene.families.diffusion.schedule import between, sigmas_of


@given(st.integers(1, 100), st.floats(0.01, 1))
def test_sigmas_fall_evenly_from_the_strength(steps, strength) -> None:
    sigmas = np.append(sigmas_of(steps, strength), 0)
    assert sigmas[0] == pytest.approx(strength)
    assert len(sigmas) - 1 == max(1, round(steps * strength))
    assert np.diff(sigmas) == pytest.approx(-strength / (len(sigmas) - 1))


def test_the_path_is_straight() -> None:
    a, b = torch.tensor([1.0, -2.0]), torch.tensor([3.0, 4.0])
    assert torch.equal(between(a, b, 0.0), a)
    assert torch.equal(between(a, b, 1.0), b)
    torch.testing.assert_close(between(a, b, 0.25), torch.tensor([1.5, -0.5]))
