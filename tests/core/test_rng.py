"""Rng: numbers depend on seed, purpose and shape, and on nothing else."""

import math
import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from phosphene.core.errors import RecipeError
from phosphene.core.rng import MAX_SEED, Rng

seeds = st.integers(0, MAX_SEED)
batches = st.lists(seeds, min_size=1, max_size=5).map(tuple)
shapes = st.lists(st.integers(1, 5), min_size=0, max_size=3).map(tuple)
names = st.text(max_size=12) | st.integers()


def draws(rng: Rng, shape: tuple[int, ...]) -> list[Tensor]:
    return [rng.normal(*shape), rng.uniform(*shape), rng.integers(*shape, high=1000)]


@given(batch=batches, shape=shapes, purpose=names)
def test_a_sample_does_not_depend_on_its_batch(batch, shape, purpose):
    rng = Rng(batch).fork(purpose)
    alone = [draws(Rng((seed,)).fork(purpose), shape) for seed in batch]
    for together, *rows in zip(draws(rng, shape), *alone, strict=True):
        assert torch.equal(together, torch.cat(rows))


@given(batch=batches, shape=shapes, order=st.randoms(use_true_random=False))
def test_order_and_subset_of_a_batch_do_not_matter(batch, shape, order):
    positions = list(range(len(batch)))
    order.shuffle(positions)
    positions = positions[: max(1, len(positions) - 1)]
    chosen = Rng(tuple(batch[i] for i in positions))
    for some, whole in zip(draws(chosen, shape), draws(Rng(batch), shape), strict=True):
        assert torch.equal(some, whole[positions])


@given(batch=batches, name=names, other=names)
def test_drawing_leaves_no_trace(batch, name, other):
    rng = Rng(batch)
    before = rng.fork(name).normal(4)
    rng.fork(other).normal(7)
    rng.normal(3)
    torch.rand(5)
    assert torch.equal(rng.fork(name).normal(4), before)


def test_the_callers_defaults_do_not_matter():
    expected = draws(Rng((7,)), (3,))
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"):
            drawn = draws(Rng((7,)), (3,))
    finally:
        torch.set_default_dtype(torch.float32)
    for a, b in zip(drawn, expected, strict=True):
        assert a.device.type == "cpu"
        assert a.dtype == b.dtype
        assert torch.equal(a, b)


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    draws(Rng((1, 2)), (4,))
    assert torch.equal(torch.get_rng_state(), before)


def test_types_and_shapes():
    rng = Rng((1, 2, 3))
    assert rng.normal(4, 5).shape == (3, 4, 5)
    assert rng.normal().shape == (3,)
    assert rng.normal(1).dtype == rng.uniform(1).dtype == torch.float32
    assert rng.integers(1, high=2).dtype == torch.int64
    assert len(rng) == 3


@given(path=st.lists(names, min_size=1, max_size=3), other=st.lists(names, min_size=1, max_size=3))
def test_different_paths_are_different_streams(path, other):
    a, b = Rng((0,)), Rng((0,))
    for name in path:
        a = a.fork(name)
    for name in other:
        b = b.fork(name)
    same = [str(name) for name in path] == [str(name) for name in other]
    assert torch.equal(a.normal(4), b.normal(4)) == same


def test_a_slash_in_a_name_is_not_a_fork():
    assert not torch.equal(Rng((0,)).fork("a/b").normal(4), Rng((0,)).fork("a").fork("b").normal(4))


def test_any_text_names_a_stream():
    """Also the lone surrogates that a command line full of broken bytes turns into."""
    assert Rng((0,)).fork("\udcff 💚 \0").normal(2).isfinite().all()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Rng((0,)).fork("a"), Rng((0,)).fork("b")),
        (Rng((0,)).fork("a"), Rng((0,)).fork("a").fork("a")),
        (Rng((0,)).fork(1), Rng((0,)).fork(2)),
        (Rng((0,)), Rng((1,))),
        (Rng((1,)).fork("2"), Rng((12,))),
        (Rng((0,)), Rng((MAX_SEED,))),
    ],
)
def test_streams_are_independent(one, other):
    """Sample correlation of n independent pairs has standard deviation 1/sqrt(n)."""
    n = 100_000
    pairs = torch.cat([one.normal(n), other.normal(n)])
    assert abs(torch.corrcoef(pairs)[0, 1]) < 5 / math.sqrt(n)


def test_neighbouring_seeds_and_steps_are_independent():
    rows = [Rng.from_seed(0, 40).fork("cutouts").fork(step).normal(2500) for step in range(5)]
    correlation = torch.corrcoef(torch.cat(rows))
    off_diagonal = correlation[~torch.eye(200, dtype=torch.bool)]
    assert off_diagonal.abs().max() < 6 / math.sqrt(2500)


def test_normal_has_mean_0_and_variance_1():
    n = 1_000_000
    x = Rng((3,)).normal(n).double()
    assert abs(x.mean()) < 5 / math.sqrt(n)
    assert abs(x.var() - 1) < 5 * math.sqrt(2 / n)
    assert abs((x.abs() < 1).double().mean() - math.erf(1 / math.sqrt(2))) < 5 * 0.5 / math.sqrt(n)
    assert 4.5 < x.abs().max() < 7


def test_the_first_number_of_many_seeds_is_normal_too():
    """Keys are hashed, so that seeds 0, 1, 2, ... do not share structure."""
    x = Rng.from_seed(0, 10_000).normal(1).double().flatten()
    assert abs(x.mean()) < 5 / 100
    assert abs(x.var() - 1) < 5 * math.sqrt(2 / 10_000)


@given(low=st.floats(-1e3, 1e3), width=st.floats(1e-3, 1e3))
def test_uniform_stays_in_its_range(low, width):
    x = Rng((1, 2)).uniform(50, low=low, high=low + width)
    slack = 1e-4 * (abs(low) + width)  # float32
    assert x.min() >= low - slack
    assert x.max() <= low + width + slack


def test_uniform_is_flat():
    n = 1_000_000
    x = Rng((4,)).uniform(n).double()
    assert x.min() >= 0
    assert x.max() < 1
    assert abs(x.mean() - 0.5) < 5 * math.sqrt(1 / 12 / n)
    counts = torch.histc(x, 10, 0, 1)
    assert (counts - n / 10).abs().max() < 5 * math.sqrt(n * 0.09)


def test_integers_are_flat_and_below_high():
    n = 600_000
    counts = torch.bincount(Rng((5,)).integers(n, high=6)[0], minlength=6)
    assert len(counts) == 6
    assert (counts - n / 6).abs().max() < 5 * math.sqrt(n * 5 / 36)


@pytest.mark.parametrize("seed", [-1, MAX_SEED + 1, 10**30])
def test_seeds_out_of_range_are_refused(seed):
    with pytest.raises(RecipeError, match=rf"seed {seed} is out of range; use 0 to"):
        Rng((seed,))


def test_no_seed_is_refused():
    with pytest.raises(RecipeError, match="no seeds given"):
        Rng(())
    with pytest.raises(RecipeError, match="no seeds given"):
        Rng.from_seed(3, count=0)


def test_a_batch_may_not_run_past_the_last_seed():
    assert len(Rng.from_seed(MAX_SEED)) == 1
    with pytest.raises(RecipeError, match="out of range"):
        Rng.from_seed(MAX_SEED, count=2)


def test_a_purpose_may_not_run_into_the_seed():
    with pytest.raises(RecipeError, match="must start with '/'"):
        Rng((1,), "2/z")


@given(seed=st.integers(0, MAX_SEED - 4), count=st.integers(1, 4))
def test_from_seed_counts_up(seed, count):
    assert Rng.from_seed(seed, count).seeds == tuple(range(seed, seed + count))


@given(seed=seeds, name=names)
def test_dice_are_keyed_too(seed, name):
    dice = Rng((seed,)).fork(name).dice()
    assert isinstance(dice, random.Random)
    rolls = [dice.randrange(10**9) for _ in range(3)]
    again = Rng((seed,)).fork(name).dice()
    assert [again.randrange(10**9) for _ in range(3)] == rolls


def test_dice_are_for_one_sample():
    with pytest.raises(RecipeError, match=r"dice\(\) is for one sample, this Rng has 2"):
        Rng((1, 2)).dice()


@given(seed=seeds, name=names)
def test_generators_for_libraries_are_keyed_too(seed, name):
    rng = Rng((seed,)).fork(name)
    drawn = torch.randn(3, generator=rng.generator())
    assert torch.equal(torch.randn(3, generator=rng.generator()), drawn)
    assert torch.equal(rng.normal(3)[0], drawn)
    with pytest.raises(RecipeError, match=r"generator\(\) is for one sample, this Rng has 2"):
        Rng((1, 2)).generator()


def test_numbers_stay_the_same_between_versions():
    """Pictures are remade from their seed: a change of these numbers breaks every recipe."""
    rng = Rng((7, 8)).fork("z")
    assert rng.integers(4, high=1000).tolist() == [[901, 343, 208, 442], [606, 692, 18, 378]]
    normal = torch.tensor([[-0.807725, -0.076676, -0.692100], [2.960000, 0.987048, 0.369275]])
    torch.testing.assert_close(rng.normal(3), normal, rtol=0, atol=2e-6)
    assert Rng((7,)).fork("a/b").fork(3).dice().randrange(10**6) == 130595
