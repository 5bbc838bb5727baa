"""Directions against closed forms: planted covariances, weights and attributes."""

import json
import math

import pytest
import torch

from phosphene.core.errors import LatentMismatch, RecipeError
from phosphene.core.rng import Rng
from phosphene.explore.directions import (
    Direction,
    Moments,
    discriminant_direction,
    factor_directions,
    find,
    mean_direction,
    principal_directions,
    turned,
)

SIZE = 6


def normals(count, seed=0, size=SIZE):
    return Rng((seed,)).normal(count, size)[0]


def turn(seed=5):
    """A rotation."""
    return torch.linalg.qr(normals(SIZE, seed)).Q


def same_axis(a, b, within=1e-4):
    return abs(abs(float(a.double() @ b.double())) - 1) < within


def test_moments_of_a_stream_are_those_of_the_whole():
    data = normals(101).double() + 100
    whole = Moments()
    for part in data.split([1, 40, 0, 60]):
        whole.add(part)
    torch.testing.assert_close(whole.mean, data.mean(0))
    torch.testing.assert_close(whole.covariance(), torch.cov(data.T))
    with pytest.raises(LatentMismatch, match="5 components after some of 6"):
        whole.add(normals(2, size=5))


def test_principal_directions_of_a_planted_covariance():
    axes, sizes = turn(), torch.tensor([5.0, 3.0, 2.0, 1.0, 0.5, 0.1])
    # whitened, so that the covariance is planted exactly and not but for sampling
    white = normals(500).double()
    white = white - white.mean(0)
    white = white @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(white.T))).T
    data = ((white * sizes) @ axes.double().T + 7).float()
    found = principal_directions(data.split(64), 3)
    for i, direction in enumerate(found):
        assert same_axis(direction.vector, axes[:, i])
        assert direction.deviation == pytest.approx(float(sizes[i]), rel=1e-3)
        assert direction.share == pytest.approx(float(sizes[i] ** 2 / (sizes**2).sum()), rel=1e-3)
        assert float(direction.vector.abs().max()) == float(direction.vector.max())
    assert [direction.name for direction in found] == [f"pc{i}" for i in range(3)]
    once = principal_directions([data], 3)
    for a, b in zip(found, once, strict=True):
        torch.testing.assert_close(a.vector, b.vector, atol=1e-5, rtol=0)


def test_factors_of_planted_weights():
    axes, gains = turn(), torch.tensor([4.0, 2.0, 1.0, 0.5, 0.2, 0.1])
    left = torch.linalg.qr(normals(10, 1)).Q  # 10 x 6, orthonormal columns
    whole = left @ torch.diag(gains) @ axes.T
    found = factor_directions([whole[:4], whole[4:]], 2)
    for i in range(2):
        assert same_axis(found[i].vector, axes[:, i])
        assert found[i].share == pytest.approx(float(gains[i] ** 2 / (gains**2).sum()), rel=1e-4)
        assert found[i].deviation == 1
        response = whole @ found[i].vector
        assert float(response.norm()) == pytest.approx(float(gains[i]), rel=1e-4)
    moments = Moments()
    moments.add(normals(50) * 3)
    along = normals(50) * 3 @ found[0].vector
    measured = factor_directions([whole], 1, moments)[0]
    assert measured.deviation == pytest.approx(float(along.std()), rel=1e-4)


def test_an_attribute_is_found_between_its_examples():
    shift = torch.tensor([0.0, 2.0, 0.0, 0.0, 0.0, 0.0])
    data = normals(40)
    found = mean_direction("smile", data, data + shift)
    torch.testing.assert_close(found.vector, shift / 2, atol=1e-5, rtol=0)
    assert found.deviation == pytest.approx(float(data[:, 1].std()), rel=0.05)


def test_the_discriminant_undoes_correlations():
    mixing = turn() @ torch.diag(torch.tensor([3.0, 2.0, 1.0, 1.0, 0.5, 0.5]))
    shift = torch.tensor([1.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    without, having = normals(4000, 1) @ mixing.T, normals(4000, 2) @ mixing.T + shift
    covariance = mixing @ mixing.T
    wanted = torch.linalg.solve(covariance, shift)
    found = discriminant_direction("smile", without, having, shrinkage=0)
    assert same_axis(found.vector, wanted / wanted.norm(), within=0.01)
    assert float(found.vector @ wanted) > 0
    naive = mean_direction("smile", without, having)
    shrunk = discriminant_direction("smile", without, having, shrinkage=1)
    torch.testing.assert_close(shrunk.vector, naive.vector, atol=1e-5, rtol=0)
    # logistic regression's direction has a smaller gradient of its loss than the naive one
    assert not same_axis(naive.vector, wanted / wanted.norm(), within=0.05)


def test_few_examples_need_shrinkage():
    without, having = normals(2, 1), normals(2, 2)
    with pytest.raises(RecipeError, match="4 examples of 6 components need shrinkage"):
        discriminant_direction("smile", without, having, shrinkage=0)
    assert torch.isfinite(discriminant_direction("smile", without, having).vector).all()
    single = discriminant_direction("smile", without[:1], having[:1])
    assert same_axis(single.vector, (having[0] - without[0]) / (having[0] - without[0]).norm())


def test_sliders_add_up_in_standard_deviations():
    east = Direction("east", torch.eye(SIZE)[0], 2.0)
    north = Direction("north", torch.eye(SIZE)[1], 0.5)
    w = normals(3)
    moved = turned(w, [east, north], {"east": 1.5, "north": -2.0})
    wanted = w + torch.tensor([3.0, -1.0, 0, 0, 0, 0])
    torch.testing.assert_close(moved, wanted)
    assert torch.equal(turned(w, [east], {"east": 0.0}), w)
    assert torch.equal(turned(w, [east], {}), w)
    back = turned(moved, [east, north], {"east": -1.5, "north": 2.0})
    torch.testing.assert_close(back, w)


def test_sliders_of_some_layers():
    east = Direction("east", torch.eye(SIZE)[0], 2.0)
    ws = normals(8)[None]
    moved = turned(ws, [east], {"east": 1.0}, layers="2-3")
    assert torch.equal(moved[:, [0, 1, 4, 5, 6, 7]], ws[:, [0, 1, 4, 5, 6, 7]])
    torch.testing.assert_close(moved[:, 2:4] - ws[:, 2:4], 2 * torch.eye(SIZE)[0].expand(1, 2, -1))
    torch.testing.assert_close(turned(ws, [east], {"east": 1.0})[:, 0, 0], ws[:, 0, 0] + 2)
    with pytest.raises(RecipeError, match="layers '2-3' are of w\\+"):
        turned(ws[0], [east], {"east": 1.0}, layers="2-3")


def test_directions_survive_json():
    for direction in (
        *principal_directions([normals(20)], 2),
        Direction("smile", torch.eye(3)[0], 1.5),
    ):
        again = Direction.from_data(json.loads(json.dumps(direction.to_data(), allow_nan=False)))
        torch.testing.assert_close(again.vector, direction.vector)
        assert (again.name, again.deviation, again.source) == (
            direction.name,
            direction.deviation,
            direction.source,
        )
        assert again.share == direction.share or math.isnan(direction.share)


@pytest.mark.parametrize(
    "data",
    [{}, {"name": "x"}, {"name": "x", "vector": "abc", "deviation": 1}, {"name": "x", "vector": 1}],
)
def test_what_is_no_direction_is_refused(data):
    with pytest.raises(RecipeError, match="no direction"):
        Direction.from_data(data)
    with pytest.raises(RecipeError, match="not finite"):
        Direction.from_data({"name": "x", "vector": [math.nan], "deviation": 1})


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: principal_directions([], 1), "0 latents have no directions"),
        (lambda: principal_directions([normals(3)], 3), "3 directions of 2 that there are"),
        (lambda: principal_directions([normals(9)], 0), "ask for 1 to 6"),
        (lambda: factor_directions([], 1), "no weights to factorise"),
        (lambda: mean_direction("smile", normals(3), normals(3)), "are the same; label others"),
        (lambda: mean_direction("smile", normals(0), normals(3)), "with it and without it"),
        (
            lambda: discriminant_direction("smile", normals(3), normals(3, 1), -0.5),
            "shrinkage is -0.5; use 0 to 1",
        ),
        (lambda: find([Direction("smile", torch.ones(1))], "smlie"), "did you mean 'smile'"),
        (
            lambda: turned(normals(2), [Direction("a", torch.eye(SIZE)[0])], {"a": math.nan}),
            "slider 'a' is nan",
        ),
    ],
)
def test_what_cannot_be_is_said(ask, message):
    with pytest.raises(RecipeError) as caught:
        ask()
    assert message in str(caught.value)


def test_directions_of_another_model_are_refused():
    with pytest.raises(LatentMismatch, match="has 3 components, the latent 6"):
        turned(normals(2), [Direction("a", torch.eye(3)[0])], {"a": 1.0})
    with pytest.raises(LatentMismatch, match=r"take \[5, 6\] components"):
        factor_directions([normals(2), normals(2, size=5)], 1)
    with pytest.raises(LatentMismatch, match="examples of 6 and of 5"):
        mean_direction("a", normals(2), normals(2, size=5))
