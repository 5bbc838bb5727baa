"""Walking the flow: exact where it is known, guided as the formula says, kept where masked."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phosphene.core.rng import Rng
from phosphene.families.diffusion.flow import Words, read
from phosphene.families.diffusion.sampling import (
    SAMPLERS,
    Sampling,
    Term,
    guided,
    sample,
)
from tests.families.diffusion.toys import TINY, Gaussian, Parrot, flow, say
from tests.reader import Reader

SEEDS = Rng((3, 4), "/test")


def last(network, sampling, terms=None, unsaid=None, rng=SEEDS):
    rows = len(rng)
    terms = terms or [Term(say(*[0.0] * rows))]
    *_, moment = sample(network, terms, unsaid or say(*[0.0] * rows), rng, sampling)
    return moment.clean


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_it_ends_where_the_exact_flow_ends(sampler) -> None:
    noise = SEEDS.fork("noise").normal(4, 4, 4)
    got = last(Gaussian(2.0, 0.5), Sampling(steps=300, guidance_scale=1, sampler=sampler))
    torch.testing.assert_close(got, 2.0 + 0.5 * noise, atol=0.03, rtol=0)


def test_a_straight_flow_takes_one_step() -> None:
    """Codes that are always the same: every path is straight, and Euler's method exact."""
    got = last(Gaussian(2.0, 0.0), Sampling(steps=1, guidance_scale=1, sampler="euler"))
    torch.testing.assert_close(got, torch.full_like(got, 2.0))


def test_the_second_order_is_nearer() -> None:
    noise = SEEDS.fork("noise").normal(4, 4, 4)
    far = {}
    for name in ("euler", "unipc"):
        got = last(Gaussian(1.0, 0.3), Sampling(steps=30, guidance_scale=1, sampler=name))
        far[name] = float((got - (1.0 + 0.3 * noise)).abs().mean())
    assert far["unipc"] < 0.5 * far["euler"]


def test_each_sample_is_its_seeds() -> None:
    network, sampling = flow(), Sampling(steps=3)
    words, unsaid = read(Reader(), ["fox", "owl"], 4), read(Reader(), ["", ""], 4)
    both = last(network, sampling, [Term(words)], unsaid, Rng((3, 4)))
    words, unsaid = read(Reader(), ["owl"], 4), read(Reader(), [""], 4)
    alone = last(network, sampling, [Term(words)], unsaid, Rng((4,)))
    torch.testing.assert_close(both[1:], alone, atol=1e-4, rtol=1e-4)


@given(st.floats(0, 12), st.floats(-2, 3), st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3))
def test_guidance_is_the_formula(scale, weight, c, d, u) -> None:
    terms = [Term(say(c), 1 - weight), Term(say(d), weight)]
    got = guided(Parrot(), torch.zeros(1, 4, 4, 4), 0.5, terms, say(u), scale)
    towards = (1 - weight) * c + weight * d
    wanted = torch.full_like(got, u + scale * (towards - u))
    torch.testing.assert_close(got, wanted, atol=1e-4, rtol=1e-4)


def test_without_guidance_the_negative_prompt_is_not_read() -> None:
    """And the network is asked once."""

    class Counting(Parrot):
        rows = 0

        def forward(self, x, sigma, words):
            self.rows += len(x)
            return super().forward(x, sigma, words)

    network = Counting()
    got = guided(network, torch.zeros(1, 4, 4, 4), 0.5, [Term(say(2.0))], say(99.0), 1)
    assert (got == 2).all()
    assert network.rows == 1


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("scale", [1, 3.0])
def test_halves_say_what_one_pass_says(count: int, rows: int, scale: float) -> None:
    network = flow()
    x = torch.randn(rows, 4, 4, 4)
    told = [
        Words(torch.randn(rows, 4, TINY.text_dim), torch.randn(rows, TINY.sentence_dim))
        for _ in range(count + 1)
    ]
    terms = [Term(words, 1 / count) for words in told[1:]]
    with torch.no_grad():
        whole = guided(network, x, 0.7, terms, told[0], scale)
        halves = guided(network, x, 0.7, terms, told[0], scale, halves=True)
    torch.testing.assert_close(halves, whole, rtol=1e-4, atol=1e-4)


def test_a_little_strength_changes_little() -> None:
    init, network = torch.zeros(2, 4, 4, 4), Gaussian(5.0, 0.1)
    changed = []
    for strength in (0.05, 0.5, 1.0):
        sampling = Sampling(steps=20, guidance_scale=1, init=init, strength=strength)
        changed.append(float((last(network, sampling) - init).abs().mean()))
    assert changed[0] < changed[1] < changed[2]
    assert changed[2] == pytest.approx(5, abs=0.3)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_what_is_not_masked_stays(sampler) -> None:
    init, mask = torch.full((2, 4, 4, 4), -1.0), torch.zeros(2, 1, 4, 4)
    mask[..., 2:] = 1
    sampling = Sampling(
        steps=30, guidance_scale=1, sampler=sampler, init=init, mask=mask, strength=1.0
    )
    got = last(Gaussian(2.0, 0.1), sampling)
    torch.testing.assert_close(got[..., :2], init[..., :2])
    torch.testing.assert_close(got[..., 2:], torch.full_like(got[..., 2:], 2), atol=0.5, rtol=0)
