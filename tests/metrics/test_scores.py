"""Distances: closed forms, invariances, and intervals that hold what they promise."""

import pytest
import torch

from phosphene.core.errors import RecipeError
from phosphene.core.rng import Rng
from phosphene.metrics.scores import Bootstrap, frechet_distance, kernel_distance

RNG = Rng((5,))


def drawn(count, dims, seed=0):
    return Rng((seed,)).normal(count, dims)[0].double()


def whitened(count, dims, seed=0):
    """Features whose mean is 0 and covariance the identity, to rounding."""
    x = drawn(count, dims, seed)
    x = x - x.mean(0)
    return x @ torch.linalg.inv(torch.linalg.cholesky(x.T @ x / (count - 1))).T


def test_frechet_of_known_gaussians():
    x, y = whitened(300, 6), whitened(200, 6, 1)
    sigma, shift = torch.arange(1.0, 7.0).double(), torch.arange(6.0).double() / 10
    # for covariances that commute: |m|² + sum of (s_a - s_b)²
    expected = float(shift.square().sum() + (sigma - 1).square().sum())
    assert frechet_distance(x * sigma + shift, y) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(y, x * sigma + shift) == pytest.approx(expected, rel=1e-9)


def test_frechet_of_covariances_that_do_not_commute():
    x, y = whitened(300, 2), whitened(300, 2, 1)
    mix = torch.tensor([[2.0, 0.0], [1.0, 1.0]]).double()
    a, b = mix @ mix.T, torch.diag(torch.tensor([4.0, 1.0]).double())
    # in two dimensions tr (M^½) = sqrt(tr M + 2 sqrt(det M)), and tr, det of A½BA½ are those of AB
    shared = torch.sqrt((a @ b).trace() + 2 * torch.sqrt(torch.det(a @ b)))
    expected = float(a.trace() + b.trace() - 2 * shared)
    found = frechet_distance(x @ mix.T, y * torch.tensor([2.0, 1.0]).double())
    assert found == pytest.approx(expected, rel=1e-9)


def test_frechet_with_fewer_pictures_than_features():
    x = drawn(10, 64).float()
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(x, x.flip(0)) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(x, x + 2) == pytest.approx(4 * 64, rel=1e-6)


def test_kernel_distance_by_hand():
    x, y = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [3.0]])
    # (xy + 1)³: one pair within x: 27, within y: 1; between: 1, 64, 1, 343
    found = kernel_distance(x, y, RNG, Bootstrap(resamples=1))
    assert found.value == pytest.approx(27 + 1 - 2 * (1 + 64 + 1 + 343) / 4)


def test_kernel_distance_is_unbiased():
    values = [
        kernel_distance(
            drawn(12, 4, 2 * i), drawn(20, 4, 2 * i + 1), RNG, Bootstrap(resamples=1)
        ).value
        for i in range(300)
    ]
    found = torch.tensor(values)
    error = found.std() / len(found) ** 0.5
    assert abs(found.mean()) < 3 * error
    assert (found < 0).any()  # as an unbiased estimate of 0 must be, now and then


def test_the_interval_holds_the_estimate_and_shrinks():
    def measured(count):
        return kernel_distance(drawn(count, 4), drawn(count, 4, 1) + 0.5, RNG)

    few, many = measured(30), measured(480)
    for found in (few, many):
        assert found.low < found.value < found.high
    assert many.high - many.low < (few.high - few.low) / 2
    assert many.low > 0
    assert measured(30) == few


def test_mistakes():
    with pytest.raises(RecipeError, match="at least two"):
        frechet_distance(torch.zeros(1, 3), torch.zeros(5, 3))
    with pytest.raises(RecipeError, match="of 3 and of 4 numbers"):
        frechet_distance(torch.zeros(5, 3), torch.zeros(5, 4))
    with pytest.raises(RecipeError, match="not finite"):
        kernel_distance(torch.full((5, 3), torch.nan), torch.zeros(5, 3), RNG)
    for mistake in ({"resamples": 0}, {"share": 1.0}):
        with pytest.raises(RecipeError, match="bootstrap of"):
            Bootstrap(**mistake)
