import pytest
import torch
from torch import Tensor

from phosphene.core.errors import Diverged, RecipeError
from phosphene.core.latent import Latent, LatentSpec, Space
from phosphene.core.protocols import Objective
from phosphene.core.rng import Rng
from phosphene.prompting.optimise import OPTIMISERS, Optimisation, Optimising, optimise


class Identity:
    """A decoder whose pictures are its latents."""

    spec = LatentSpec(Space.CODES, (3, None, None))

    def decode(self, latent: Latent, condition: object = None) -> Tensor:
        return latent.data


def start(seed: int = 0, count: int = 1) -> Latent:
    return Latent(Space.CODES, Rng.from_seed(seed, count).normal(3, 4, 4) * 0.5)


def towards(target: float) -> Objective:
    return lambda images: (images - target).square().mean(dim=(1, 2, 3))


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_finds_the_minimum_of_a_bowl(name: str) -> None:
    rate = {"sgd": 4.0, "adagrad": 0.5, "radam": 0.3}.get(name, 0.1)
    settings = Optimising(iterations=150, optimiser=name, learning_rate=rate)
    steps = list(optimise(Identity(), start(), lambda index: towards(0.3), settings))
    assert len(steps) == 151
    assert steps[0].scalars["loss"] > 0.1
    final = steps[-1].images
    assert final is not None
    assert (final - 0.3).abs().max() < 0.05


def test_the_rate_falls_from_start_to_end() -> None:
    settings = Optimising(iterations=100, learning_rate=0.2, final_rate=0.1)
    rates = [settings.rate(i) for i in range(100)]
    assert rates[0] == pytest.approx(0.2)
    assert rates[-1] == pytest.approx(0.02)
    assert rates == sorted(rates, reverse=True)
    assert Optimising(iterations=1).rate(0) > 0


def test_each_sample_is_optimised_on_its_own() -> None:
    settings = Optimising(iterations=12)
    together = Optimisation(Identity(), start(5, 3), lambda index: towards(-0.2), settings)
    alone = Optimisation(Identity(), start(6), lambda index: towards(-0.2), settings)
    for _ in range(12):
        together.step()
        alone.step()
    assert torch.allclose(together.latent.data[1:2], alone.latent.data, atol=1e-6)


class Rounded(Identity):
    """An autoencoder whose codes are tenths."""

    def decode(self, latent: Latent, condition: object = None) -> Tensor:
        return latent.data.clone()

    def encode(self, images: Tensor) -> Latent:
        return Latent(Space.CODES, (images * 10).round() / 10)

    def snap(self, codes: Latent) -> Latent:
        return codes

    def confine(self, codes: Latent) -> Latent:
        return codes

    def tokens(self, codes: Latent) -> Latent:
        return codes


def test_now_and_then_the_picture_goes_through_the_encoder() -> None:
    settings = Optimising(iterations=9, optimiser="sgd", learning_rate=1.0, repaint_every=3)
    run = Optimisation(Rounded(), start(), lambda index: towards(0.3), settings)
    seen = [run.step().images for _ in range(9)]
    for index, images in enumerate(seen):
        assert images is not None
        whole = torch.allclose(images * 10, (images * 10).round(), atol=1e-4)
        assert whole == (index in (3, 6))
    with pytest.raises(RecipeError, match="repaint_every is -1"):
        Optimising(repaint_every=-1)


def test_it_continues_bit_for_bit() -> None:
    settings = Optimising(iterations=20)

    def noisy(index: int) -> Objective:
        target = Rng((1,)).fork(index).normal(3, 4, 4)
        return lambda images: (images - target).square().mean(dim=(1, 2, 3))

    straight = Optimisation(Identity(), start(), noisy, settings)
    for _ in range(20):
        straight.step()
    first = Optimisation(Identity(), start(), noisy, settings)
    for _ in range(7):
        first.step()
    second = Optimisation(Identity(), start(9), noisy, settings)
    second.load_state(first.state())
    while second.index < 20:
        second.step()
    assert torch.equal(straight.latent.data, second.latent.data)


def test_pictures_are_clipped_and_without_gradient() -> None:
    far = Latent(Space.CODES, torch.full((1, 3, 2, 2), 9.0))
    optimisation = Optimisation(Identity(), far, lambda index: towards(0.0), Optimising())
    step = optimisation.step()
    assert step.images is not None
    assert step.images.max() == 1
    assert not step.images.requires_grad
    assert not optimisation.paint().requires_grad
    assert torch.is_grad_enabled()


def test_a_loss_that_is_not_finite_leaves_the_latent_alone() -> None:
    optimisation = Optimisation(
        Identity(),
        start(),
        lambda index: lambda images: images.sum(dim=(1, 2, 3)) / 0,
        Optimising(),
    )
    before = optimisation.latent.data.detach().clone()
    with pytest.raises(Diverged, match="iteration 0"):
        optimisation.step()
    assert torch.equal(before, optimisation.latent.data)


def test_an_unknown_optimiser_suggests_the_nearest() -> None:
    with pytest.raises(RecipeError, match="did you mean 'sgd'"):
        Optimisation(Identity(), start(), lambda i: towards(0), Optimising(optimiser="sgdd"))


def test_replacing_the_latent_keeps_its_place() -> None:
    optimisation = Optimisation(Identity(), start(), lambda i: towards(0.0), Optimising())
    optimisation.step()
    optimisation.replace(start(4))
    assert torch.equal(optimisation.latent.data.detach(), start(4).data)
    assert optimisation.index == 1
