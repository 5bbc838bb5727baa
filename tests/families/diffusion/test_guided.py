"""Steered sampling: it goes where the objective is low, leaves the rest to the denoiser."""

from typing import Any

import pytest
import torch
from torch import Tensor

from phosphene.core.errors import Diverged
from phosphene.core.protocols import Denoiser, Told
from phosphene.core.rng import Rng
from phosphene.families.diffusion.guided import GuidedSampling, Guiding
from tests.families.diffusion.test_latent import asked, picture
from tests.families.diffusion.toys import painter

RNG = Rng((3,), "/test")


class Hazy:
    """A `Denoiser` of pictures that are normal with deviation s around m, pixel by pixel."""

    shape = (3, 8, 8)

    def __init__(self, m: float = 0.0, s: float = 0.3) -> None:
        self.m, self.s = m, s

    def denoise(self, x: Tensor, sigma: float) -> Tensor:
        share = (1 - sigma) * self.s**2 / ((1 - sigma) ** 2 * self.s**2 + sigma**2)
        return self.m + share * (x - (1 - sigma) * self.m)

    def encode(self, images: Tensor) -> Tensor:
        return images

    def decode(self, x0: Tensor) -> Tensor:
        return x0


def brightness(_index: int) -> Any:
    """Lower where it is lighter."""
    return lambda images: -images.mean(dim=(1, 2, 3))


def run(sampling: GuidedSampling) -> Tensor:
    while sampling.index < sampling.total:
        sampling.step()
    return sampling.paint()


def guided(denoiser: Any = None, objective: Any = brightness, init: Any = None, **settings: Any):
    return GuidedSampling(denoiser or Hazy(), objective, RNG, Guiding(**settings), init)


def test_models_can_be_told() -> None:
    assert isinstance(painter(), Told)
    assert isinstance(painter().told(asked()), Denoiser)
    assert isinstance(Hazy(), Denoiser)


def test_without_a_push_it_is_the_denoisers_own_sampling() -> None:
    noise = RNG.fork("noise").normal(*Hazy.shape)
    got = run(guided(Hazy(m=0.1, s=0.2), push=0.0, steps=200))
    torch.testing.assert_close(got, (0.1 + 0.2 * noise).clamp(-1, 1), atol=0.02, rtol=0)


def test_a_push_leads_to_what_is_wanted() -> None:
    means = [float(run(guided(push=push)).mean()) for push in (0.0, 0.1, 0.3)]
    assert means[0] < means[1] - 0.05
    assert means[1] < means[2] - 0.05


def test_more_rounds_lead_further() -> None:
    once, thrice = (float(run(guided(push=0.1, rounds=n)).mean()) for n in (1, 3))
    assert thrice > once + 0.05


def test_pushes_do_not_depend_on_the_size_of_the_loss() -> None:
    def louder(index: int) -> Any:
        return lambda images: 1000 * brightness(index)(images)

    torch.testing.assert_close(run(guided()), run(guided(objective=louder)))


def test_each_step_has_its_own_objective() -> None:
    seen: list[int] = []

    def noted(index: int) -> Any:
        seen.append(index)
        return brightness(index)

    run(guided(objective=noted, steps=4, rounds=2))
    assert seen == [0, 0, 1, 1, 2, 2, 3, 3]


def test_between_looks_it_goes_on_the_same_way() -> None:
    seen: list[int] = []

    def noted(index: int) -> Any:
        seen.append(index)
        return brightness(index)

    sparing = run(guided(objective=noted, steps=5, look_every=2))
    assert seen == [0, 2, 4]
    # the gradient of brightness is the same everywhere: here nothing is lost
    torch.testing.assert_close(sparing, run(guided(steps=5)))


def test_a_step_that_does_not_look_shows_the_picture_and_the_last_loss() -> None:
    sampling, every = guided(steps=4, look_every=2), guided(steps=4)
    for index in range(4):
        step, wanted = sampling.step(), every.step()
        torch.testing.assert_close(step.images, wanted.images)
        if index % 2 == 0:
            last = step.scalars["loss"]
        assert step.scalars["loss"] == last


def test_a_start_from_a_picture_skips_steps() -> None:
    init = Rng((1,)).uniform(3, 8, 8, low=-1.0)
    little = guided(init=init, strength=0.05, steps=40, push=0.0)
    assert little.total == 2
    near = (run(little) - init).abs().mean()
    far = (run(guided(init=init, strength=1.0, steps=40, push=0.0)) - init).abs().mean()
    assert near < 0.5 * far


@pytest.mark.parametrize(("symmetry", "axis"), [("sides", -1), ("halves", -2)])
def test_pictures_become_symmetric(symmetry, axis) -> None:
    def unevenness(images: Tensor) -> float:
        return float((images - images.flip(axis)).abs().mean())

    free = unevenness(run(guided(push=0.0)))
    assert unevenness(run(guided(push=0.0, symmetry=symmetry))) < 0.7 * free


@pytest.mark.slow
@pytest.mark.parametrize("every", [1, 3])
def test_it_continues_bit_for_bit(every: int) -> None:
    def begin() -> GuidedSampling:
        return guided(painter().told(asked()), look_every=every)

    whole, begun = begin(), begin()
    for _ in range(7):
        begun.step()
    resumed = begin()
    resumed.load_state(begun.state())
    assert torch.equal(run(resumed), run(whole))


def test_a_step_shows_what_was_expected_and_its_loss() -> None:
    sampling = guided(steps=3)
    steps = [sampling.step() for _ in range(3)]
    assert [step.index for step in steps] == [0, 1, 2]
    for step in steps:
        assert step.images is not None
        assert step.images.shape == (1, 3, 8, 8)
        assert step.images.abs().max() <= 1
    assert steps[2].scalars["loss"] < steps[0].scalars["loss"]


def test_a_loss_that_is_no_number_stops_it() -> None:
    sampling = guided(objective=lambda _: lambda images: (images.sum() / 0).expand(1) * 0)
    before = sampling.latent.data.clone()
    with pytest.raises(Diverged, match="use less push"):
        sampling.step()
    assert torch.equal(sampling.latent.data, before)


def test_words_and_objective_both_count_with_a_real_denoiser() -> None:
    model = painter()
    plain = run(guided(model.told(asked()), push=0.0, steps=4))
    pushed = run(guided(model.told(asked()), push=0.5, steps=4))
    other = run(guided(model.told(asked(("an owl", 1.0))), push=0.5, steps=4))
    assert pushed.mean() > plain.mean()
    assert not torch.equal(pushed, other)
    assert picture().shape[2:] == plain.shape[2:]
