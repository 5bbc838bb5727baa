"""StyleGAN2's generator: the contract of all generators, and what styles promise."""

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from phosphene.core.errors import CheckpointError
from phosphene.core.latent import Condition, Latent, Space
from phosphene.core.protocols import Decoder, Styled
from phosphene.core.rng import Rng
from phosphene.core.weights import read_weights, save_weights
from phosphene.families.gan.generator import StyledGenerator
from phosphene.families.gan.settings import GANTraining
from phosphene.families.gan.stylegan2 import Generator, build
from phosphene.families.gan.stylegan2_config import StyleGAN2Config
from phosphene.families.gan.stylegan2_discriminator import Discriminator
from phosphene.families.gan.training import GANLearner
from phosphene.training.augment import NoAugment
from tests.shelf import NoShelf

BASE = StyleGAN2Config(
    resolution=16, z_dim=6, w_dim=8, mapping_layers=2, channel_base=64, channel_max=12
)
KINDS = {
    "skip": {},
    "residual": {"architecture": "residual"},
    "plain, clamped": {"architecture": "plain", "conv_clamp": 0.5},
    "classes": {"num_classes": 3},
    "wide, RGBA": {"resolution": (16, 24), "channels": 4},
    "no noise": {"layer_noise": False, "channels": 1},
}


def config(**changes: object) -> StyleGAN2Config:
    return StyleGAN2Config.from_dict({**BASE.to_dict(), **changes})


def network(shape: StyleGAN2Config) -> Generator:
    torch.manual_seed(1)
    made = Generator(shape)
    for name, parameter in made.named_parameters():
        if name.endswith(("bias", "noise_strength")):
            torch.nn.init.normal_(parameter)
    made.track(torch.randn(4, shape.w_dim))
    return made


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest) -> StyledGenerator:
    shape = config(**KINDS[request.param])
    made = build(network(shape).state_dict(), {**shape.to_dict(), "family": "gan"}, NoShelf())
    assert isinstance(made, StyledGenerator)
    return made


def pictures(model: StyledGenerator, z: Latent, rng: Rng) -> torch.Tensor:
    (step,) = model.render(z, rng)
    assert step.images is not None
    return step.images


def test_the_contract(model: StyledGenerator) -> None:
    assert isinstance(model, Styled)
    assert isinstance(model, Decoder)
    rng = Rng((3, 4, 5))
    z = model.draw(rng)
    images = pictures(model, z, rng)
    assert images.shape == (3, model.channels, *model.resolution)
    assert images.dtype == torch.float32
    assert bool(images.isfinite().all())
    assert 0.01 < float(images.std()) < 10
    torch.testing.assert_close(pictures(model, z, rng), images)
    assert not torch.allclose(images[0], images[1])
    alone = Rng((4,))
    torch.testing.assert_close(
        pictures(model, model.draw(alone), alone), images[1:2], atol=1e-5, rtol=1e-4
    )


def test_saved_and_loaded(model: StyledGenerator, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    own = {**model.network.config.to_dict(), "family": "gan", "arch": "stylegan2", "size": 16}
    save_weights(path, model.network.state_dict(), own)
    again = build(*read_weights(path), NoShelf())
    rng = Rng((0, 1))
    z, asked = model.draw(rng), model.any_condition(rng)
    assert torch.equal(again.decode(z, asked), model.decode(z, asked))


def test_moved_and_cast(model: StyledGenerator) -> None:
    rng = Rng((0, 1))
    z, asked = model.draw(rng), model.any_condition(rng)
    exact = model.decode(z, asked)
    assert model.to("meta").decode(z, asked).shape == exact.shape


def test_bf16_is_near() -> None:
    made = StyledGenerator(network(config(channel_base=256, channel_max=32)))
    z = made.draw(Rng((0, 1)))
    exact = made.decode(z).detach()
    with torch.autocast("cpu", torch.bfloat16):
        mixed = made.decode(z).detach()
    cast = made.to(torch.bfloat16).decode(z).detach()
    for found in (mixed, cast):
        assert found.dtype == torch.float32
        assert float((found - exact).abs().mean()) < 0.05 * float(exact.std())


def test_spaces_agree() -> None:
    made = StyledGenerator(network(BASE))
    z = made.draw(Rng((0, 1)))
    w_plus = made.map(z)
    assert w_plus.data.shape == (2, 6, 8)
    images = made.decode(z)
    torch.testing.assert_close(made.decode(w_plus), images)
    torch.testing.assert_close(made.decode(Latent(Space.W, w_plus.data[:, 0])), images)


def synthesis(made: Generator, ws: torch.Tensor, noise: Sequence[torch.Tensor] | None = None):
    return made.synthesis(ws, noise).detach()


@pytest.mark.parametrize("architecture", ["skip", "residual"])
def test_each_style_paints(architecture: str) -> None:
    made = network(config(architecture=architecture))
    ws = torch.randn(1, made.num_ws, made.w_dim)
    images = synthesis(made, ws)
    for i in range(made.num_ws):
        changed = ws.clone()
        changed[:, i] = torch.randn(1, made.w_dim)
        assert not torch.allclose(synthesis(made, changed), images), f"w {i} changes nothing"


def test_fresh_noise_goes_to_each_layer() -> None:
    made = network(config(resolution=(16, 24)))
    shapes = made.noise_shapes()
    assert shapes == [(4, 6), (8, 12), (8, 12), (16, 24), (16, 24)]
    ws = torch.randn(2, made.num_ws, made.w_dim)
    constant = [layer.noise_const for layer in made.modules() if hasattr(layer, "noise_const")]
    images = synthesis(made, ws)
    noise = [grain[None, None].expand(2, 1, -1, -1) for grain in constant]
    torch.testing.assert_close(synthesis(made, ws, noise), images, atol=1e-5, rtol=1e-4)
    for i, (height, width) in enumerate(shapes):
        other = [*noise]
        other[i] = torch.randn(2, 1, height, width)
        assert not torch.allclose(synthesis(made, ws, other), images), f"noise {i} is unused"


def test_the_mean_style_is_tracked() -> None:
    made = Generator(config(w_avg_beta=0.9))
    w = torch.randn(500, 8) + 3
    for _ in range(100):
        made.track(w)
    torch.testing.assert_close(made.w_avg, w.mean(0), atol=1e-3, rtol=1e-3)
    assert not made.w_avg.requires_grad


def test_path_length_can_be_regularised() -> None:
    """Karras et al. 2020, equation 4: the gradient of a gradient reaches every weight."""
    made = network(BASE)
    ws = made.mapping(torch.randn(2, 6))[:, None].expand(-1, made.num_ws, -1)
    images = made.synthesis(ws)
    (slope,) = torch.autograd.grad((images * torch.randn_like(images)).sum(), ws, create_graph=True)
    torch.autograd.backward(slope.square().sum(2).mean(1).sqrt().var())
    # the picture is linear in the biases of to-RGB; all other weights shape the slope
    without = [
        name
        for name, parameter in made.named_parameters()
        if parameter.grad is None and not name.endswith("torgb.bias")
    ]
    assert not without
    assert all(
        bool(parameter.grad.isfinite().all())
        for parameter in made.parameters()
        if parameter.grad is not None
    )


def test_second_derivatives_are_exact() -> None:
    made = network(config(resolution=8, channel_base=16, channel_max=2, w_dim=2)).double()
    ws = torch.randn(1, 4, 2, dtype=torch.float64, requires_grad=True)
    check = torch.autograd.gradgradcheck
    assert check(lambda ws: made.synthesis(ws).pow(2), (ws,), fast_mode=True)


@pytest.mark.slow
def test_it_learns_a_few_pictures() -> None:
    made = network(BASE)
    z = torch.randn(4, 6)
    wanted = torch.tensor([-0.8, -0.3, 0.3, 0.8])[:, None, None, None].expand(4, 3, 16, 16)
    optimiser = torch.optim.Adam(made.parameters(), lr=0.02, betas=(0.0, 0.99))
    errors = []
    for _ in range(60):
        error = (made(z) - wanted).square().mean()
        optimiser.zero_grad()
        torch.autograd.backward(error)
        optimiser.step()
        errors.append(error.item())
    assert errors[-1] < 0.1 * errors[0]


@pytest.mark.parametrize("bf16", [False, True])
def test_the_learner_trains_it(bf16: bool) -> None:
    shape = config(num_classes=3)
    settings = GANTraining(
        r1_gamma=1.0,
        r1_every=1,
        path_weight=2.0,
        path_every=1,
        style_mixing_prob=0.9,
        conditional=True,
        bf16=bf16,
    )
    torch.manual_seed(1)
    made, average, judge = Generator(shape), Generator(shape), Discriminator(shape)
    own = {"config": shape.to_dict(), "class_names": ("a", "b", "c")}
    student = GANLearner(made, average, judge, settings, NoAugment(), **own)
    before = {name: value.clone() for name, value in made.state_dict().items()}
    pictures = torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8)
    batch = {"images": pictures, "classes": torch.tensor([0, 1, 2, 0])}
    for index in range(2):
        said = student.step(batch, index, 2, Rng((index,)))
        assert all(math.isfinite(value) for value in said.values())
    still = [name for name, value in made.state_dict().items() if torch.equal(value, before[name])]
    assert all(name.endswith("noise_const") for name in still), "some weight never learns"
    assert "w_avg" not in still


def test_mixtures_of_classes_differ_from_both() -> None:
    made = StyledGenerator(network(config(num_classes=3)), ("a", "b", "c"))
    z = Latent(Space.Z, torch.randn(1, 6).expand(3, -1))
    asked: Condition = made.condition_of(["a", "b", {"a": 0.5, "b": 0.5}])
    first, second, mixed = made.decode(z, asked).detach()
    assert not torch.allclose(first, mixed)
    assert not torch.allclose(second, mixed)


def test_weights_of_another_shape() -> None:
    with pytest.raises(CheckpointError, match="does not fit Generator"):
        build(network(BASE).state_dict(), config(resolution=32).to_dict(), NoShelf())
    with pytest.raises(CheckpointError, match="not a StyleGAN2Config"):
        build({}, {"resolution": 17}, NoShelf())
