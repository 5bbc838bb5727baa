"""Protocols: what a model is, is decided by what it offers."""

from collections.abc import Iterator

import torch

from phosphene.core.images import Images
from phosphene.core.latent import Condition, Latent, LatentSpec, Space
from phosphene.core.protocols import Autoencoder, Decoder, Generator, Learner, Perceptor, Step
from phosphene.core.rng import Rng


class Ramp:
    """The smallest decoder: a latent is the mean brightness."""

    spec = LatentSpec(Space.Z, (1,))

    def decode(self, latent: Latent, condition: Condition | None = None) -> Images:
        return latent.expect(Space.Z)[:, :, None, None].expand(-1, 3, 2, 2)


class Mirror(Ramp):
    def encode(self, images: Images) -> Latent:
        return Latent(Space.Z, images.mean((1, 2, 3))[:, None])

    def snap(self, codes: Latent) -> Latent:
        return codes

    def tokens(self, codes: Latent) -> Latent:
        return codes

    def confine(self, codes: Latent) -> Latent:
        return codes


class Dreamer:
    spec = LatentSpec(Space.NOISE, (3, None, None))

    def draw(self, rng: Rng, condition: Condition | None = None) -> Latent:
        return Latent(Space.NOISE, rng.normal(3, 4, 4))

    def render(
        self, latent: Latent, rng: Rng, condition: Condition | None = None
    ) -> Iterator[Step]:
        for i in range(3):
            yield Step(i, 3, latent.data.clamp(-1, 1))


def test_a_decoder_is_not_an_autoencoder():
    assert isinstance(Ramp(), Decoder)
    assert not isinstance(Ramp(), Autoencoder)
    assert isinstance(Mirror(), Decoder)
    assert isinstance(Mirror(), Autoencoder)


def test_other_protocols_are_not_satisfied_by_accident():
    for protocol in (Perceptor, Learner, Generator):
        assert not isinstance(Mirror(), protocol)
    assert isinstance(Dreamer(), Generator)
    assert not isinstance(Dreamer(), Decoder)


def test_decoding_is_differentiable():
    z = torch.zeros(2, 1, requires_grad=True)
    Ramp().decode(Latent(Space.Z, z)).sum().backward()
    assert torch.equal(z.grad, torch.full((2, 1), 12.0))


def test_a_computation_can_be_left_at_any_moment():
    model, rng = Dreamer(), Rng((1, 2))
    steps = model.render(model.draw(rng), rng)
    first = next(steps)
    assert (first.index, first.total, first.images.shape) == (0, 3, (2, 3, 4, 4))
    steps.close()
    assert list(steps) == []


def test_steps_do_not_share_their_scalars():
    assert Step(0, 1).scalars == {}
    assert Step(0, 1).scalars is not Step(0, 1).scalars
    assert Step(0, 1, torch.zeros(1, 3, 2, 2)) != Step(0, 1, torch.zeros(1, 3, 2, 2))


def test_a_view_is_painted_when_it_is_looked_at() -> None:
    looks = []

    def paint() -> Images:
        looks.append(1)
        return torch.ones(1, 3, 2, 2)

    step = Step(0, 2, paint)
    handed_on = Step(1, 2, step.view)
    assert not looks
    images = handed_on.images
    assert images is not None
    assert torch.equal(images, torch.ones(1, 3, 2, 2))
    assert looks == [1]
    assert Step(0, 1).images is None
