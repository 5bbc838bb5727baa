"""Inversion of linear decoders, whose latents are known."""

import math

import pytest
import torch

from phosphene.core.errors import Diverged, RecipeError
from phosphene.core.latent import Condition, Latent, LatentSpec, Space
from phosphene.core.rng import Rng
from phosphene.explore.invert import Inverting, invert, mean_start
from tests.explore.toy_models import NUM_WS, Z_DIM, ToyStyled

SETTINGS = Inverting(iterations=150, learning_rate=0.1)


class Linear:
    """Pictures are a fixed well-conditioned matrix times z, plus the classes."""

    spec = LatentSpec(Space.Z, (4,))
    matrix = torch.linalg.qr(Rng((3,)).normal(12, 4)[0]).Q.T * 0.4

    def decode(self, latent, condition=None):
        images = (latent.expect(Space.Z) @ self.matrix).reshape(-1, 3, 2, 2)
        if condition is not None:
            images = images + condition.classes[:, :1, None, None]
        return images


class Halves(ToyStyled):
    """Styles as a picture that never leaves [-1, 1] in these tests."""

    def decode(self, latent, condition=None):
        return super().decode(latent, condition) / 10


def distance_to(target):
    return lambda images: (images - target).square().flatten(1).mean(1)


def last(steps):
    return [*steps][-1]


def test_a_picture_of_a_linear_decoder_gives_its_z_back():
    decoder, z = Linear(), Rng((1, 2)).normal(4)
    target = decoder.decode(Latent(Space.Z, z))
    steps = [*invert(decoder, mean_start(decoder, Space.Z, 2), distance_to(target), SETTINGS)]
    assert [step.index for step in steps] == list(range(151))
    assert {step.total for step in steps} == {151}
    torch.testing.assert_close(steps[-1].latent.data, z, atol=0.02, rtol=0)
    torch.testing.assert_close(steps[-1].images, target.clamp(-1, 1), atol=0.02, rtol=0)
    assert steps[-1].latent.space is Space.Z
    best = [step.scalars["best"] for step in steps]
    assert best == sorted(best, reverse=True)
    assert not steps[-1].latent.data.requires_grad


def test_samples_do_not_touch_each_other_and_seeds_fix_the_noise():
    decoder, z = Linear(), Rng((1, 2)).normal(4)
    target = decoder.decode(Latent(Space.Z, z))
    few = Inverting(iterations=12)
    start = mean_start(decoder, Space.Z, 2)
    both = last(invert(decoder, start, distance_to(target), few, rng=Rng((5, 6))))
    alone = last(
        invert(
            decoder,
            start.with_data(start.data[1:]),
            distance_to(target[1:]),
            few,
            rng=Rng((6,)),
        )
    )
    torch.testing.assert_close(both.latent.data[1:], alone.latent.data, atol=1e-6, rtol=0)
    again = last(invert(decoder, start, distance_to(target), few, rng=Rng((5, 6))))
    assert torch.equal(again.latent.data, both.latent.data)


def test_classes_are_kept():
    decoder, z = Linear(), Rng((1,)).normal(4)
    condition = Condition(classes=torch.tensor([[0.2]]))
    target = decoder.decode(Latent(Space.Z, z), condition)
    start = mean_start(decoder, Space.Z, 1)
    found = last(invert(decoder, start, distance_to(target), SETTINGS, condition=condition))
    torch.testing.assert_close(found.latent.data, z, atol=0.02, rtol=0)


def styled_target(decoder, seed=4):
    ws = decoder.w_avg + Rng((seed,)).normal(NUM_WS, Z_DIM)
    return ws, decoder.decode(Latent(Space.W_PLUS, ws))


def test_layers_stay_one_style_until_they_are_let_free():
    decoder = Halves()
    ws, target = styled_target(decoder)
    start = mean_start(decoder, Space.W_PLUS, 1)
    assert torch.equal(start.data, torch.ones(1, NUM_WS, Z_DIM))
    tied = last(
        invert(
            decoder,
            start,
            distance_to(target),
            Inverting(iterations=150, free_layers_from=1.0, noise=0.0),
        )
    ).latent.data
    torch.testing.assert_close(tied, tied[:, :1].expand_as(tied))
    # the one w that fits best is the mean of all
    torch.testing.assert_close(tied[:, 0], ws.mean(1), atol=0.02, rtol=0)
    free = last(
        invert(
            decoder,
            start,
            distance_to(target),
            Inverting(iterations=300, free_layers_from=0.3, learning_rate=0.15),
        )
    ).latent.data
    torch.testing.assert_close(free, ws, atol=0.05, rtol=0)


def test_a_pull_stays_nearer_to_the_start():
    decoder, z = Linear(), 2 * Rng((1,)).normal(4)
    target = decoder.decode(Latent(Space.Z, z))
    start = mean_start(decoder, Space.Z, 1)

    def distance(pull):
        settings = Inverting(iterations=150, noise=0.0, pull=pull)
        found = last(invert(decoder, start, distance_to(target), settings))
        return float((found.latent.data - start.data).norm())

    assert distance(0.05) < 0.8 * distance(0.0)


def test_rates_rise_and_fall_and_noise_fades():
    settings = Inverting(iterations=100, learning_rate=0.2, warm_up=0.1, cool_down=0.25)
    rates = [settings.rate(i) for i in range(100)]
    assert rates[0] == pytest.approx(0.02)
    assert rates[10:75] == pytest.approx([0.2] * 65)
    assert rates[87] == pytest.approx(0.2 * (1 - math.cos(math.pi * 0.52)) / 2)
    assert 0 < rates[-1] < 0.001
    levels = [settings.noise_level(i) for i in range(100)]
    assert levels[0] == 0.05
    assert levels == sorted(levels, reverse=True)
    assert levels[75:] == [0.0] * 25
    plain = Inverting(warm_up=0, cool_down=0, noise_until=0)
    assert plain.rate(0) == plain.rate(499) == 0.1
    assert plain.noise_level(0) == 0


def test_closing_the_iterator_leaves_gradients_as_they_were():
    decoder = Linear()
    going = invert(decoder, mean_start(decoder, Space.Z, 1), distance_to(torch.zeros(1, 3, 2, 2)))
    next(going)
    assert torch.is_grad_enabled()
    going.close()
    with torch.no_grad():
        start = mean_start(decoder, Space.Z, 1)
        last(invert(decoder, start, distance_to(torch.zeros(1, 3, 2, 2)), Inverting(iterations=2)))
        assert not torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"iterations": 0}, "iterations is 0"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; use a number above 0"),
        ({"spread": math.nan}, "spread is nan"),
        ({"warm_up": 1.5}, "warm_up is 1.5; use a share"),
        ({"noise": -1.0}, "noise is -1.0; use 0 or above"),
        ({"pull": math.inf}, "pull is inf"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(RecipeError, match=message):
        Inverting(**settings)


def test_what_cannot_be_inverted_is_said():
    decoder = Linear()
    with pytest.raises(RecipeError, match="not inverted in w; its latents are in z"):
        mean_start(decoder, Space.W, 1)
    start = mean_start(decoder, Space.Z, 1)
    with pytest.raises(RecipeError, match="2 seeds for 1 latents"):
        next(invert(decoder, start, distance_to(0), rng=Rng((1, 2))))
    with pytest.raises(Diverged, match="finite at iteration 0"):
        next(invert(decoder, start, lambda images: images.flatten(1).mean(1) * math.nan))


def test_the_pull_goes_to_the_anchor():
    decoder = Linear()
    start = Latent(Space.Z, torch.full((1, 4), 2.0))
    pulled = Inverting(iterations=100, pull=100.0, noise=0.0)
    target = torch.zeros(1, 3, 2, 2)
    kept = last(invert(decoder, start, distance_to(target + 1), pulled))
    nowhere = invert(decoder, start, lambda images: 0 * images.sum((1, 2, 3)), pulled)
    assert torch.equal(last(nowhere).latent.data, start.data)
    free = last(invert(decoder, start, distance_to(target), pulled, anchor=torch.zeros(1)))
    assert float(free.latent.data.norm()) < 0.2 * float(kept.latent.data.norm())


def test_each_search_says_how_near_it_is():
    decoder, z = Linear(), Rng((1, 2)).normal(4)
    target = decoder.decode(Latent(Space.Z, z[:1]))
    start = Latent(Space.Z, z)
    step = last(invert(decoder, start, distance_to(target), Inverting(iterations=1, noise=0.0)))
    assert step.losses.shape == (2,)
    assert float(step.losses[0]) < float(step.losses[1])
