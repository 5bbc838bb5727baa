"""Rows of a generator: they hold all that a picture depends on, and come back to the prior."""

import math

import pytest
import torch

from phosphene.core.errors import Unsupported
from phosphene.core.latent import Condition, Latent, LatentSpec, Space
from phosphene.core.protocols import Confined
from phosphene.core.rng import Rng
from phosphene.prompting.optimise import Optimising, optimise
from phosphene.prompting.steering import Steered

SIZE, CLASSES = 6, 3


class Plain:
    """The picture is z, then the class weights."""

    spec = LatentSpec(Space.Z, (SIZE,))
    num_classes, resolution, prior = CLASSES, (1, SIZE + CLASSES), "normal"

    def any_condition(self, rng, condition=None):
        drawn = rng.fork("classes").integers(1, high=CLASSES)[:, 0]
        return condition or Condition(classes=torch.eye(CLASSES)[drawn])

    def draw(self, rng, condition=None):
        return Latent(Space.Z, rng.normal(SIZE))

    def render(self, latent, rng, condition=None):
        raise NotImplementedError

    def decode(self, latent, condition=None):
        return torch.cat([latent.expect(Space.Z), condition.classes], dim=1)[:, None, None]


class Uniform(Plain):
    num_classes, resolution, prior = 0, (1, SIZE), "uniform"

    def any_condition(self, rng, condition=None):
        return Condition()

    def decode(self, latent, condition=None):
        return latent.expect(Space.Z)[:, None, None]


class Style(Uniform):
    """w = 2 z + 1 for each of two layers."""

    prior, resolution, num_ws, w_avg = "normal", (2, SIZE), 2, torch.ones(SIZE)

    def map(self, z, condition=None):
        return Latent(Space.W_PLUS, (2 * z.data + 1)[:, None].expand(-1, 2, -1))

    def decode(self, latent, condition=None):
        return latent.expect(Space.W_PLUS)[:, None]


@pytest.mark.parametrize("kind", [Plain, Uniform, Style])
def test_a_row_is_the_draw_of_its_seed(kind):
    generator, rng = kind(), Rng((4, 9), "/sample")
    steered = Steered(generator)
    assert isinstance(steered, Confined)
    row = steered.draw(rng)
    assert row.data.shape == (2, *steered.spec.shape)
    latent, condition = steered.unpack(row)
    drawn = generator.draw(rng.fork("z"))
    wanted = generator.map(drawn) if steered.styled else drawn
    assert torch.equal(latent.data, wanted.data)
    if kind is Plain:
        drawn_classes = generator.any_condition(rng.fork("render")).classes
        assert torch.equal(condition.classes.argmax(1), drawn_classes.argmax(1))
        torch.testing.assert_close(condition.classes.sum(1), torch.ones(2))
        assert float(condition.classes.max(1).values.min()) > 0.9
    # channels for perceptors
    assert steered.decode(row).shape == (2, 3, *steered.resolution)


def test_z_comes_back_to_its_shell():
    steered = Steered(Plain())
    row = steered.draw(Rng((4, 9)))
    long = row.with_data(row.data * torch.tensor([[5.0], [0.1]]))
    latent, condition = steered.unpack(steered.confine(long))
    torch.testing.assert_close(latent.data.norm(dim=1), torch.full((2,), math.sqrt(SIZE)))
    torch.testing.assert_close(
        torch.cosine_similarity(latent.data, long.data[:, :SIZE]), torch.ones(2)
    )
    torch.testing.assert_close(condition.classes, steered.unpack(long)[1].classes)
    once = steered.confine(long)
    torch.testing.assert_close(steered.confine(once).data, once.data)


def test_a_uniform_z_is_clipped():
    steered = Steered(Uniform())
    row = Latent(Space.STEERED, torch.tensor([[-3.0, -1, -0.5, 0, 0.5, 7]]))
    assert steered.confine(row).data.tolist() == [[-1, -1, -0.5, 0, 0.5, 1]]


def test_each_style_stays_as_near_to_the_mean_as_draws():
    steered = Steered(Style())
    # chi of 6 degrees of freedom has mean 2.35
    assert steered.reach == pytest.approx(2 * 2.35, rel=0.05)
    near, far = 1 + torch.ones(SIZE) * 0.01, 1 - torch.ones(SIZE) * 50
    row = Latent(Space.STEERED, torch.cat([near, far])[None])
    styles = steered.unpack(steered.confine(row))[0].data[0]
    torch.testing.assert_close(styles[0], near)
    assert float((styles[1] - 1).norm()) == pytest.approx(steered.reach, rel=1e-4)
    assert (styles[1] < 1).all()


def test_a_search_moves_z_and_class_and_stays():
    steered = Steered(Plain())
    wish = torch.tensor([9.0, 0, 0, 0, 0, 0, 0, 0, 1])  # far outside, of the last class
    start = steered.pack(
        Latent(Space.Z, torch.ones(1, SIZE)), Condition(classes=torch.tensor([[1.0, 0, 0]]))
    )
    settings = Optimising(iterations=200, learning_rate=0.1)
    last = start
    for step in optimise(
        steered,
        start,
        lambda index: lambda images: (images[:, 0, 0] - wish).square().sum(1),
        settings,
    ):
        last = step
    colours = last.images[0, 0, 0]
    assert float(colours[-1]) > 0.95  # the class that was wished for
    assert last.images.max() <= 1  # shown as a picture
    assert float(colours[1:SIZE].abs().max()) < 0.2


def test_what_cannot_be_steered():
    with pytest.raises(Unsupported, match="no differentiable"):
        Steered(object())
    codes = Plain()
    codes.spec = LatentSpec(Space.CODES, (3, None, None))
    with pytest.raises(Unsupported, match="not paint from a z"):
        Steered(codes)
