import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from phosphene.core.rng import Rng
from phosphene.training import pixels as px

BYTES = arrays(np.uint8, (6, 6, 3))


def half(low, high):
    """A picture whose left half is `low` and right half `high`."""
    x = np.full((32, 32, 3), low, dtype=np.float32)
    x[:, 16:] = high
    return x


@given(BYTES)
def test_bytes_round_trip(values):
    assert np.array_equal(px.to_bytes(px.from_bytes(values)), values)
    assert np.array_equal(np.asarray(px.to_image(px.from_bytes(values))), values)


def test_grey_weighs_the_channels():
    assert px.grey(np.array([[[0.0, 1.0, 0.0]]], dtype=np.float32)) == pytest.approx(0.587)
    assert px.grey(np.ones((1, 1, 3), dtype=np.float32)) == pytest.approx(1)


def test_saturation_and_contrast_at_their_fixed_points():
    grey = np.full((2, 2, 3), 0.4, dtype=np.float32)
    assert np.allclose(px.saturate(grey, 3), grey)
    assert np.allclose(px.contrast(grey, 5, middle=0.4), grey)
    assert px.contrast(grey, 100, middle=0.5).max() == 0


def test_edges_are_where_values_change():
    strength = px.edges(half(0.2, 0.9))
    assert strength[:, 15:17].min() == pytest.approx(0.7, abs=1e-5)
    assert strength[:, :14].max() == 0
    assert px.edges(half(0.5, 0.5)).max() == 0


def test_outside_is_the_white_seen_from_the_border():
    x = np.ones((32, 32, 3), dtype=np.float32)
    x[8:24, 8:24] = 0.2
    x[12:20, 12:20] = 1
    seen = px.outside(x)
    assert seen[2, 2] > 0.95
    assert seen[16, 16] < 0.05
    assert px.outside(half(0.5, 0.2)).max() == 0


def test_smoothstep_and_mix_and_gradients():
    assert px.smoothstep(np.array([0, 0.5, 2.0]), 0, 1).tolist() == [0, 0.5, 1]
    a, b = half(0, 0), half(1, 1)
    assert px.mix(a, b, 0.25).max() == pytest.approx(0.25)
    assert px.mix(a, b, np.eye(32, dtype=np.float32))[3, 3, 0] == 1
    ramp = px.gradient_map(np.array([[0.0, 0.5, 1.0]]), [(0, (0, 0, 0)), (1, (1, 0.5, 0))])
    assert ramp[0].tolist() == [[0, 0, 0], [0.5, 0.25, 0], [1, 0.5, 0]]


def test_noise_is_centred_seamless_and_shifted_by_the_dice():
    first = px.noise(32, Rng((1,)).dice(), scale=2)
    assert abs(float(first.mean())) < 0.05
    assert np.abs(first).max() <= 1
    assert np.array_equal(first, px.noise(32, Rng((1,)).dice(), scale=2))
    other = px.noise(32, Rng((2,)).dice(), scale=2)
    assert not np.array_equal(first, other)
    assert np.allclose(np.sort(first.ravel()), np.sort(other.ravel()))
    seam = np.abs(first[0] - first[-1]).mean()
    inner = np.abs(np.diff(first, axis=0)).mean()
    assert seam < 4 * inner


def test_warp_moves_pixels():
    x = half(0.0, 1.0)
    zero, six = np.zeros((32, 32), np.float32), np.full((32, 32), 6, np.float32)
    assert np.array_equal(px.warp(x, zero, zero), x)
    assert px.warp(x, zero, six)[0, 10, 0] == 1


def test_kuwahara_keeps_flats_and_edges():
    x = half(0.25, 0.75)
    assert np.allclose(px.kuwahara(x, 3), x, atol=1e-4)
    noisy = x + 0.05 * px.noise(32, Rng((0,)).dice())[..., None]
    assert px.kuwahara(noisy, 3)[:, :16].std() < noisy[:, :16].std()


def test_cells_are_a_tiling():
    labels, inwards = px.cells(32, 4, 0, 0.5)
    assert labels.shape == inwards.shape == (32, 32)
    assert inwards.min() >= 0
    means, count = px.cell_means(half(0, 1), labels)
    assert labels.max() < count
    for label in np.unique(labels):
        assert np.ptp(means[labels == label]) < 1e-6
    assert means.mean() == pytest.approx(0.5)


@given(st.floats(0, 1))
def test_vignette_darkens_corners_alone(strength):
    x = np.ones((33, 33, 3), dtype=np.float32)
    dark = px.vignette(x, strength)
    assert dark[16, 16, 0] == pytest.approx(1)
    assert dark[0, 0, 0] == pytest.approx(1 - strength, abs=1e-5)


def test_turn_measures_along_a_direction():
    along = px.turn(0, 33)
    assert along[5, 0] == pytest.approx(-16.5)
    assert along[20, 32] == pytest.approx(16.5)
    assert px.turn(90, 33)[0, 7] == pytest.approx(-16.5)
