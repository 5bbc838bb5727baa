"""What every family's generator keeps to, as far as it is here: one suite over all of them."""

import importlib
from pathlib import Path

import pytest
import torch

from phosphene.core.latent import Space
from phosphene.core.protocols import Decoder, Generator
from phosphene.core.rng import Rng
from phosphene.core.weights import read_weights, save_weights
from phosphene.families.gan.generator import GANGenerator
from tests.shelf import NoShelf

TINY = {
    "dcgan": ("DCGANConfig", {"resolution": 16, "width": 4, "z_dim": 6}),
    "progan": ("ProGANConfig", {"resolution": 16, "width": 8, "base_width": 8, "z_dim": 6}),
    "stylegan2": (
        "StyleGAN2Config",
        {"resolution": 16, "z_dim": 6, "w_dim": 8, "channel_base": 128, "channel_max": 16},
    ),
    "fastgan": ("FastGANConfig", {"resolution": 32, "width": 4, "z_dim": 6}),
}


@pytest.fixture(params=[(arch, classes) for arch in TINY for classes in (0, 3)], ids=str)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> GANGenerator:
    """An untrained generator that went through a file."""
    arch, num_classes = request.param
    module = importlib.import_module(f"phosphene.families.gan.{arch}")
    name, shape = TINY[arch]
    torch.manual_seed(1)
    config = getattr(module, name)(num_classes=num_classes, **shape)
    whole = {"family": "gan", "arch": arch, "size": 16, **config.to_dict()}
    path = tmp_path / "x.safetensors"
    save_weights(path, module.Generator(config).state_dict(), whole)
    generator: GANGenerator = module.build(*read_weights(path), NoShelf())
    return generator


def test_the_contract(made: GANGenerator) -> None:
    assert isinstance(made, Generator)
    assert isinstance(made, Decoder)
    assert not any(p.requires_grad for p in made.parameters())
    rng = Rng((3, 4, 5))
    z = made.draw(rng)
    assert z.space is Space.Z
    assert z.data.shape == (3, made.z_dim)
    going = made.render(z, rng)
    (step,) = going
    assert step.images is not None
    assert step.images.shape == (3, made.channels, *made.resolution)
    assert step.images.dtype == torch.float32
    assert torch.isfinite(step.images).all()
    assert float(step.images.abs().max()) < 20  # about [-1, 1], not 0..255
    (again,) = made.render(made.draw(rng), rng)
    assert torch.equal(again.images, step.images)  # seeds
    (alone,) = made.render(made.draw(Rng((4,))), Rng((4,)))
    torch.testing.assert_close(alone.images, step.images[1:2], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(step.images[0], step.images[1])
    made.render(z, rng).close()  # to cancel before the first step costs nothing


def test_latents_learn_through_it(made: GANGenerator) -> None:
    z = made.draw(Rng((3,))).data.requires_grad_()
    condition = made.any_condition(Rng((3,)))
    images = made.decode(made.draw(Rng((3,))).with_data(z), condition)
    torch.autograd.backward(images.square().sum())
    assert z.grad is not None
    assert float(z.grad.abs().sum()) > 0


def test_it_moves_to_another_precision(made: GANGenerator) -> None:
    rng = Rng((3,))
    (before,) = made.render(made.draw(rng), rng)
    (after,) = made.to(torch.bfloat16).render(made.draw(rng), rng)
    assert after.images is not None
    assert after.images.dtype == torch.float32
    # eight bits of mantissa, through a dozen layers
    difference = (after.images - before.images).abs().mean()
    assert float(difference) < 0.1 * float(before.images.std())


def test_every_number_of_the_latent_is_weighed(made: GANGenerator) -> None:
    weights = made.latent_weights()
    size = getattr(made, "w_dim", made.z_dim)
    assert len(weights) == getattr(made, "num_ws", 1)
    for weight in weights:
        assert weight.ndim == 2
        assert weight.shape[1] == size
        assert not weight.requires_grad
        assert (weight.abs().sum(0) > 0).all()
