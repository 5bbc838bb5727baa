"""The straight path and its steps."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phosphene.families.diffusion.schedule import between, sigmas_of


@given(st.integers(1, 100), st.floats(0.01, 1))
def test_sigmas_fall_evenly_from_the_strength(steps, strength) -> None:
    sigmas = np.append(sigmas_of(steps, strength, shift=1), 0)
    assert sigmas[0] == pytest.approx(strength)
    assert len(sigmas) - 1 == max(1, round(steps * strength))
    assert np.diff(sigmas) == pytest.approx(-strength / (len(sigmas) - 1))


@given(st.integers(2, 100), st.floats(0.01, 1), st.floats(1.01, 10))
def test_a_shift_spends_steps_on_noise(steps, strength, shift) -> None:
    sigmas, even = sigmas_of(steps, strength, shift), sigmas_of(steps, strength, 1)
    assert (sigmas >= even - 1e-12).all()
    assert (np.diff(sigmas) < 0).all()
    odds = sigmas / (1 - sigmas + 1e-300)  # a shift multiplies them
    mask = even < 0.999
    assert odds[mask] == pytest.approx(shift * even[mask] / (1 - even[mask]))


def test_the_path_is_straight() -> None:
    a, b = torch.tensor([1.0, -2.0]), torch.tensor([3.0, 4.0])
    assert torch.equal(between(a, b, 0.0), a)
    assert torch.equal(between(a, b, 1.0), b)
    torch.testing.assert_close(between(a, b, 0.25), torch.tensor([1.5, -0.5]))
