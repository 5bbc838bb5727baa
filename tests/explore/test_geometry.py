"""Geometry of latent spaces against closed forms."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phosphene.core.errors import LatentMismatch, RecipeError
from phosphene.core.rng import Rng
from phosphene.explore.geometry import (
    across,
    cubic,
    lerp,
    mix_styles,
    resample_threshold,
    scaled_truncated_normal,
    slerp,
    spherical_cubic,
    style_layers,
    truncate_psi,
    unit,
)

few = settings(max_examples=20)
times = st.floats(0, 1, allow_nan=False)
seeds = st.integers(0, 2**31)


def z(seed, *shape):
    return Rng((seed, seed + 1)).normal(*(shape or (6,)))


def lengths(points):
    return points.double().flatten(1).norm(dim=1)


def on_circle(*angles):
    return torch.tensor([[math.cos(a), math.sin(a), 0.0] for a in angles], dtype=torch.float64)


# lines


@few
@given(seed=seeds, t=times)
def test_lerp_is_the_line(seed, t):
    a, b = z(seed), z(seed + 2)
    torch.testing.assert_close(lerp(a, b, t), a + t * (b - a), atol=1e-6, rtol=0)


@pytest.mark.parametrize("between", [lerp, slerp])
@few
@given(seed=seeds)
def test_ends_are_exact(between, seed):
    a, b = z(seed), z(seed + 2)
    assert torch.equal(between(a, b, 0), a)
    assert torch.equal(between(a, b, 1), b)


# arcs


@few
@given(seed=seeds, t=times)
def test_slerp_is_the_textbook_formula(seed, t):
    a, b = (point / point.norm(dim=1, keepdim=True) for point in (z(seed), z(seed + 2)))
    angle = torch.arccos((a * b).sum(1, keepdim=True))
    textbook = (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)
    torch.testing.assert_close(slerp(a, b, t), textbook, atol=1e-5, rtol=0)


@few
@given(seed=seeds, t=times, factor=st.floats(0.01, 100))
def test_slerp_changes_length_linearly_and_turns_evenly(seed, t, factor):
    a, b = z(seed).double(), factor * z(seed + 2).double()
    between = slerp(a, b, t)
    torch.testing.assert_close(lengths(between), (1 - t) * lengths(a) + t * lengths(b))
    whole = torch.arccos(torch.cosine_similarity(a, b))
    part = torch.arccos(torch.cosine_similarity(a, between).clamp(-1, 1))
    torch.testing.assert_close(part, t * whole, atol=1e-6, rtol=0)


@few
@given(seed=seeds, t=times)
def test_slerp_backwards_is_the_same_arc(seed, t):
    a, b = z(seed), z(seed + 2)
    torch.testing.assert_close(slerp(a, b, t), slerp(b, a, 1 - t), atol=1e-5, rtol=0)


@few
@given(seed=seeds, t=times)
def test_slerp_of_a_batch_is_slerp_of_each(seed, t):
    a, b = z(seed, 3, 2), z(seed + 2, 3, 2)
    together = slerp(a, b, t)
    for row in range(2):
        assert torch.equal(together[row : row + 1], slerp(a[row : row + 1], b[row : row + 1], t))


@few
@given(seed=seeds, t=times)
def test_identical_points_stay(seed, t):
    a = z(seed)
    torch.testing.assert_close(slerp(a, a, t), a)
    torch.testing.assert_close(slerp(a, 3 * a, t), (1 + 2 * t) * a)


@few
@given(seed=seeds, t=times, size=st.integers(2, 8))
def test_opposite_points_meet_on_the_sphere(seed, t, size):
    a = z(seed, size)
    between = slerp(a, -a, t)
    torch.testing.assert_close(lengths(between), lengths(a))
    expected = torch.full((2,), math.cos(math.pi * t))
    torch.testing.assert_close(torch.cosine_similarity(a, between), expected, atol=1e-5, rtol=0)
    assert torch.equal(between, slerp(a, -a, t))


def test_a_point_at_the_origin_has_no_direction_of_its_own():
    a = z(3)
    zero = torch.zeros_like(a)
    torch.testing.assert_close(slerp(zero, a, 0.25), a / 4)
    torch.testing.assert_close(slerp(a, zero, 0.25), a * 3 / 4)
    assert torch.equal(slerp(zero, zero, 0.5), zero)


@few
@given(seed=seeds, size=st.integers(2, 9))
def test_across_is_a_quarter_turn(seed, size):
    a, b = z(seed, size), z(seed + 2, size)
    turned = across(a, b)
    torch.testing.assert_close(lengths(turned), lengths(b))
    assert (turned * b).sum(1).abs().max() < 1e-4
    torch.testing.assert_close(lengths(across(b, b)), lengths(b))
    assert (across(b, b) * b).sum(1).abs().max() < 1e-4


def test_unit_has_length_one_but_for_zero():
    torch.testing.assert_close(lengths(unit(z(1, 2, 3))), torch.ones(2).double())
    assert torch.equal(unit(torch.zeros(2, 3)), torch.zeros(2, 3))


# curves


@few
@given(
    t=times,
    spans=st.tuples(*[st.floats(0.1, 5)] * 3),
    coefficients=st.tuples(*[st.floats(-3, 3)] * 3),
)
def test_cubic_gives_back_parabolas(t, spans, coefficients):
    def parabola(s):
        c0, c1, c2 = coefficients
        return torch.tensor([[c0 + c1 * s + c2 * s * s, s]], dtype=torch.float64)

    h0, h1, h2 = spans
    points = (parabola(-h0), parabola(0), parabola(h1), parabola(h1 + h2))
    torch.testing.assert_close(cubic(*points, t, spans), parabola(t * h1), atol=1e-8, rtol=0)


def test_cubic_of_equal_spans_is_catmull_rom():
    p0, p1, p2, p3 = (z(seed).double() for seed in range(4))
    t = 0.3
    expected = 0.5 * (
        2 * p1
        + (p2 - p0) * t
        + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2
        + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    )
    torch.testing.assert_close(cubic(p0, p1, p2, p3, t), expected)


@few
@given(t=times, turns=st.floats(0.05, 0.9), start=st.floats(0, 6))
def test_spherical_cubic_gives_back_even_turning(t, turns, start):
    points = [on_circle(start + i * turns) for i in range(4)]
    expected = on_circle(start + (1 + t) * turns)
    torch.testing.assert_close(spherical_cubic(*points, t), expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("curve", [cubic, spherical_cubic])
@few
@given(seed=seeds, spans=st.lists(st.floats(0.2, 3), min_size=4, max_size=4))
def test_curves_have_no_corner_at_a_keyframe(curve, seed, spans):
    points = [z(seed + 2 * i).double() for i in range(5)]

    def first(t):
        return curve(*points[:4], t, tuple(spans[:3]))

    def second(t):
        return curve(*points[1:], t, tuple(spans[1:]))

    h = 1e-5
    arriving = (first(1) - first(1 - h)) / (h * spans[1])
    leaving = (second(h) - second(0)) / (h * spans[2])
    torch.testing.assert_close(arriving, leaving, atol=1e-3, rtol=1e-3)


@few
@given(seed=seeds, t=times)
def test_a_spherical_curve_through_one_shell_stays_on_it(seed, t):
    points = [unit(z(seed + 2 * i)) for i in range(4)]
    torch.testing.assert_close(
        lengths(spherical_cubic(*points, t)), torch.ones(2).double(), atol=1e-6, rtol=0
    )


def test_a_curve_may_begin_and_end():
    a, b = z(1), z(3)
    for curve in (cubic, spherical_cubic):
        assert torch.equal(curve(a, a, b, b, 0), a)
        assert torch.equal(curve(a, a, b, b, 1), b)
        assert torch.isfinite(curve(a, a, b, b, 0.5)).all()
        torch.testing.assert_close(curve(a, a, a, a, 0.4), a)


@pytest.mark.parametrize("between", [lerp, slerp, lambda a, b, t: cubic(a, a, b, b, t)])
def test_latents_of_different_models_do_not_mix(between):
    with pytest.raises(LatentMismatch, match=r"\[2, 6\] and \[2, 5\].*same model"):
        between(z(0), z(0, 5), 0.5)


# truncation


@few
@given(psi=st.floats(0, 3), seed=seeds)
def test_psi_scales_the_distance_to_the_mean(psi, seed):
    w, mean = z(seed), z(seed + 2)[0]
    truncated = truncate_psi(w, mean, psi)
    torch.testing.assert_close(truncated - mean, psi * (w - mean), atol=1e-5, rtol=1e-5)


def test_psi_one_changes_nothing_and_zero_gives_the_mean():
    w, mean = z(0, 4, 6), z(2)[0]
    assert torch.equal(truncate_psi(w, mean, 1), w)
    assert torch.equal(truncate_psi(w, mean, 0), mean.expand(2, 4, 6))


def test_a_cutoff_spares_the_fine_styles():
    w, mean = z(0, 4, 6), z(2)[0]
    part = truncate_psi(w, mean, 0.5, cutoff=1)
    assert torch.equal(part[:, 1:], w[:, 1:])
    assert torch.equal(part[:, :1], truncate_psi(w, mean, 0.5)[:, :1])
    assert torch.equal(truncate_psi(w, mean, 0.5, cutoff=9), truncate_psi(w, mean, 0.5))
    assert torch.equal(truncate_psi(w, mean, 0.5, cutoff=0), w)


def test_impossible_truncation_is_named():
    w, mean = z(0, 4, 6), z(2)[0]
    for psi in (-0.1, math.nan, math.inf):
        with pytest.raises(RecipeError, match=f"psi is {psi}; use 0"):
            truncate_psi(w, mean, psi)
    with pytest.raises(RecipeError, match="cutoff is -1"):
        truncate_psi(w, mean, 0.5, cutoff=-1)
    with pytest.raises(RecipeError, match="cutoff is 2"):
        truncate_psi(w[:, 0], mean, 0.5, cutoff=2)
    with pytest.raises(LatentMismatch, match="mean style of 5"):
        truncate_psi(w, mean[:5], 0.5)


@few
@given(threshold=st.floats(1e-3, 4), seed=seeds)
def test_resampling_keeps_what_is_inside_and_nothing_outside(threshold, seed):
    rng = Rng((seed, seed + 1))
    plain, drawn = rng.normal(50), resample_threshold(rng, threshold, 50)
    assert float(drawn.abs().max()) <= threshold
    inside = plain.abs() <= threshold
    assert torch.equal(drawn[inside], plain[inside])
    assert torch.equal(drawn[1:], resample_threshold(Rng((seed + 1,)), threshold, 50))


@pytest.mark.parametrize("threshold", [0.05, 0.5, 1.0, 2.0])
def test_resampling_has_the_law_of_the_truncated_normal(threshold):
    count = 40_000
    drawn = resample_threshold(Rng((1,)), threshold, count)[0].double().sort().values
    inside = math.erf(threshold / math.sqrt(2))
    law = (torch.erf(drawn / math.sqrt(2)) / inside + 1) / 2
    steps = torch.arange(count + 1, dtype=torch.float64) / count
    distance = max((law - steps[:-1]).abs().max(), (law - steps[1:]).abs().max())
    assert distance < 1.63 / math.sqrt(count)  # Kolmogorov-Smirnov at 1 %


def test_an_infinite_threshold_is_the_prior():
    rng = Rng((4,))
    assert torch.equal(resample_threshold(rng, math.inf, 5), rng.normal(5))
    for threshold in (0, -1, math.nan):
        with pytest.raises(RecipeError, match="above 0"):
            resample_threshold(rng, threshold, 5)


def test_scaling_is_not_resampling():
    rng = Rng((4,))
    scaled = scaled_truncated_normal(rng, 0.4, 1000)
    torch.testing.assert_close(scaled, 0.4 * resample_threshold(rng, 2.0, 1000))
    assert float(scaled.abs().max()) <= 0.8
    assert not torch.equal(scaled, resample_threshold(rng, 0.8, 1000))
    for truncation in (-0.1, 1.1, math.nan):
        with pytest.raises(RecipeError, match="use 0 to 1"):
            scaled_truncated_normal(rng, truncation, 5)


# styles


def test_style_layers_by_name_and_number():
    assert style_layers("coarse", 18) == range(4)
    assert style_layers("Middle", 18) == range(4, 8)
    assert style_layers(" fine ", 18) == range(8, 18)
    assert style_layers("middle", 6) == range(4, 6)
    assert style_layers("all", 6) == range(6)
    assert style_layers("3", 6) == range(3, 4)
    assert style_layers("0-5", 6) == range(6)


@pytest.mark.parametrize("name", ["fine", "6", "2-6", "5-2"])
def test_styles_that_a_model_lacks(name):
    with pytest.raises(RecipeError, match=f"no styles '{name}'; this model has 6, 0 to 5"):
        style_layers(name, 6)


@pytest.mark.parametrize("name", ["rough", "", "-1", "1-", "²", "1-2-3", "9" * 40])
def test_unreadable_styles(name):
    with pytest.raises(RecipeError, match="use coarse, middle"):
        style_layers(name, 6)


@few
@given(seed=seeds, start=st.integers(0, 5), count=st.integers(1, 6))
def test_mixing_takes_each_style_from_one_parent(seed, start, count):
    a, b = z(seed, 6, 3), z(seed + 2, 6, 3)
    layers = range(start, min(6, start + count))
    mixed = mix_styles(a, b, layers)
    for layer in range(6):
        parent = b if layer in layers else a
        assert torch.equal(mixed[:, layer], parent[:, layer])
    with pytest.raises(LatentMismatch):
        mix_styles(a, b[:, :5], layers)
