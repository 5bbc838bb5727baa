"""BigGAN: the paper's shapes, and what holds by construction whatever the weights."""

import hashlib
from pathlib import Path

import pytest
import torch
from torch import Tensor

from phosphene.core.errors import CheckpointError, RecipeError
from phosphene.core.latent import Condition, Latent, Space
from phosphene.core.protocols import Decoder, Generator
from phosphene.core.rng import Rng
from phosphene.core.weights import save_weights
from phosphene.families.gan.biggan import (
    BigGAN,
    BigGANGenerator,
    build,
    check_truncation,
    stand,
)
from phosphene.families.gan.biggan_config import BigGANConfig
from phosphene.families.gan.biggan_layers import StandingNorm, UpsamplingConv
from phosphene.zoo.zoo import Zoo
from tests.families.gan.biggan_shapes import DEEP, KINDS, PLAIN, config
from tests.shelf import NoShelf

TORCH = {"atol": 1e-5, "rtol": 1e-4}


def painter(changes: dict[str, object]) -> BigGANGenerator:
    """A generator with random weights and averages, as the zoo would build it."""
    torch.manual_seed(1)
    network = BigGAN(config(**changes))
    for module in network.modules():
        if isinstance(module, StandingNorm):
            module.mean.normal_(std=0.3)
            module.var.uniform_(0.5, 1.5)
    for name, parameter in network.named_parameters():
        if name.endswith("gamma"):
            parameter.data.fill_(0.5)
    return build(network.state_dict(), network.config.to_dict(), NoShelf())


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest) -> BigGANGenerator:
    return painter(KINDS[request.param])


def asked(model: BigGANGenerator, count: int) -> Condition | None:
    """Class weights that are not one-hot."""
    if not model.num_classes:
        return None
    return Condition(classes=Rng.from_seed(5, count).uniform(model.num_classes))


# --- the paper's networks


@pytest.mark.parametrize(
    ("resolution", "deep", "millions"),
    [
        # BigGAN: table 1. BigGAN-deep: the model cards of the published weights
        (128, False, 70.4),
        (128, True, 50.4),
        (256, True, 55.9),
        (512, True, 56.2),
    ],
)
def test_sizes_of_the_papers_networks(resolution: int, deep: bool, millions: float) -> None:
    shape = BigGANConfig.published(resolution, deep)
    with torch.device("meta"):
        network = BigGAN(shape)
    assert network.resolution == (resolution, resolution)
    assert shape.bottom == (4, 4)
    count = sum(parameter.numel() for parameter in network.parameters())
    if deep:  # the published ones compute 128 channels of which three are looked at
        count += (shape.width - 3) * (shape.width * 9 + 1)
    assert count / 1e6 == pytest.approx(millions, abs=0.05)


@pytest.mark.parametrize(
    ("deep", "digest"), [(False, "2512cd4f610dec1a"), (True, "a86bc609df7529cf")]
)
def test_names_and_shapes_stand(deep: bool, digest: str) -> None:
    """Weights in the wild depend on them; a change needs a converter and a new number here."""
    with torch.device("meta"):
        network = BigGAN(BigGANConfig.published(128, deep))
    listing = "\n".join(f"{k} {list(v.shape)}" for k, v in network.state_dict().items())
    assert hashlib.sha256(listing.encode()).hexdigest()[:16] == digest


def test_weights_begin_orthogonal() -> None:
    torch.manual_seed(0)
    network = BigGAN(config())
    weight = network.linear.weight
    torch.testing.assert_close(weight.T @ weight, torch.eye(weight.shape[1]), **TORCH)
    rows = network.conv_out.weight.flatten(1)
    torch.testing.assert_close(rows @ rows.T, torch.eye(len(rows)), **TORCH)
    assert not network.conv_out.bias.any()  # type: ignore[union-attr]


# --- contract


def test_contract(model: BigGANGenerator) -> None:
    assert isinstance(model, Generator)
    assert isinstance(model, Decoder)
    rng = Rng((3, 4, 5))
    condition = asked(model, 3)
    z = model.draw(rng, condition)
    (step,) = model.render(z, rng, condition)
    assert step.images is not None
    assert step.images.shape == (3, model.channels, *model.resolution)
    assert step.images.dtype == torch.float32
    assert step.images.abs().max() <= 1
    assert step.images.std() > 0.01
    assert not any(parameter.requires_grad for parameter in model.parameters())
    again = model.decode(model.draw(rng, condition), condition)
    assert torch.equal(again, step.images)
    other = model.decode(model.draw(Rng((6, 7, 8)), condition), condition)
    assert not torch.allclose(other, step.images, atol=1e-3)


def test_a_picture_does_not_depend_on_its_batch(model: BigGANGenerator) -> None:
    rng = Rng((3, 4, 5))
    condition = asked(model, 3)
    whole = model.decode(model.draw(rng), condition)
    for i, seed in enumerate(rng.seeds):
        alone = condition and Condition(classes=condition.classes[i : i + 1])  # type: ignore[index]
        picture = model.decode(model.draw(Rng((seed,))), alone)
        torch.testing.assert_close(picture[0], whole[i], **TORCH)


def test_decoding_is_differentiable(model: BigGANGenerator) -> None:
    z = model.draw(Rng((1, 2))).data.requires_grad_()
    condition = asked(model, 2)
    torch.autograd.backward(model.decode(Latent(Space.Z, z), condition).sum())
    assert z.grad is not None
    assert z.grad.abs().min() > 0, "all of z reaches the picture"


def test_save_and_load(model: BigGANGenerator, tmp_path: Path) -> None:
    shape = model.network.config
    names = [f"name {i}" for i in range(model.num_classes)]
    values = {"family": "gan", "arch": "biggan", **shape.to_dict(), "class_names": names}  # type: ignore[operator, union-attr]
    path = tmp_path / "model.safetensors"
    save_weights(path, model.network.state_dict(), values)
    loaded = Zoo(tmp_path).load(str(path))
    assert isinstance(loaded, BigGANGenerator)
    assert loaded.class_names == tuple(names)
    condition = asked(model, 2)
    z = model.draw(Rng((1, 2)))
    assert torch.equal(loaded.decode(z, condition), model.decode(z, condition))


def test_sixteen_bits_paint_nearly_the_same(model: BigGANGenerator) -> None:
    condition = asked(model, 2)
    z = model.draw(Rng((1, 2)))
    exact = model.decode(z, condition)
    rounded = model.to(torch.bfloat16).decode(z, condition)
    assert rounded.dtype == torch.float32
    assert (rounded - exact).abs().mean() < 0.02


def test_prepared_networks_paint_the_same(model: BigGANGenerator) -> None:
    prepared = [m for m in model.modules() if isinstance(m, UpsamplingConv)]
    assert prepared
    assert all(conv.phases is not None for conv in prepared)
    condition = asked(model, 2)
    z = model.draw(Rng((1, 2)))
    fast = model.decode(z, condition)
    for conv in prepared:
        conv.phases = None
    torch.testing.assert_close(model.decode(z, condition), fast, **TORCH)


# --- classes and z


def features(model: BigGANGenerator, classes: Tensor) -> Tensor:
    network = model.network
    assert isinstance(network, BigGAN)
    return network.embed(classes)


@pytest.mark.parametrize("kind", ["plain", "deep", "no shared embedding"])
def test_mixed_classes_are_mixed_embeddings(kind: str) -> None:
    model = painter(KINDS[kind])
    first, second = torch.eye(3)[:1], torch.eye(3)[1:2]
    mixed = features(model, 0.3 * first + 0.7 * second)
    torch.testing.assert_close(mixed, 0.3 * features(model, first) + 0.7 * features(model, second))
    if kind != "no shared embedding":
        assert torch.equal(features(model, second)[0], model.network.shared.weight[1])  # type: ignore[union-attr, index]


def test_classes_matter_and_are_demanded() -> None:
    model = painter(PLAIN)
    z = model.draw(Rng((1,)))
    pictures = [model.decode(z, model.condition_of([i])) for i in range(3)]
    assert (pictures[0] - pictures[1]).abs().mean() > 0.01
    with pytest.raises(RecipeError, match="name one"):
        model.decode(z)
    with pytest.raises(RecipeError, match="paints one of 3 classes"):
        model.network(z.data)


def test_each_block_has_its_piece_of_z() -> None:
    """With all other pieces held, only a block's own condition changes."""
    network = painter(PLAIN).network
    assert isinstance(network, BigGAN)
    z, classes = torch.zeros(1, 12), torch.eye(3)[:1]
    first, conditions = network._inputs(z, classes)
    held = list(conditions)
    for piece in range(3):
        changed = z.clone()
        changed[:, 4 * piece : 4 * piece + 4] = 1
        other, conditions = network._inputs(changed, classes)
        differ = [not torch.equal(a, b) for a, b in zip(held, conditions, strict=True)]
        assert [not torch.equal(first, other), *differ] == [i == piece for i in range(3)]


# --- truncation and averages


def test_truncation_chooses_the_averages() -> None:
    model = painter(DEEP)
    z, condition = model.draw(Rng((1, 2))), asked(model, 2)
    network = model.network
    pictures = [network(z.data, condition.classes, t) for t in (0.3, 1.0)]  # type: ignore[union-attr]
    assert (pictures[0] - pictures[1]).abs().mean() > 0.01
    assert torch.equal(model.decode(z, condition), pictures[1])
    lower = model.at_truncation(0.3)
    assert torch.equal(lower.decode(z, condition), pictures[0])
    assert torch.equal(model.decode(z, condition), pictures[1]), "the other one is as it was"


def test_a_truncated_network_shares_its_weights() -> None:
    model = painter(DEEP)
    lower = model.at_truncation(0.3)
    theirs, ours = dict(lower.network.named_parameters()), dict(model.network.named_parameters())
    assert all(theirs[name] is ours[name] for name in ours)
    assert lower.network.config.norm_rows == 1  # type: ignore[union-attr]
    assert isinstance(lower, BigGANGenerator)
    assert lower.class_names == model.class_names
    assert not lower.training
    values = lower.network.config.to_dict()  # type: ignore[operator, union-attr]
    rebuilt = build(lower.network.state_dict(), values, NoShelf())
    z, condition = model.draw(Rng((1, 2))), asked(model, 2)
    assert torch.equal(rebuilt.decode(z, condition), lower.decode(z, condition))


@pytest.mark.parametrize("truncation", [0.0, -1.0, 1.01, float("nan")])
def test_a_truncation_that_cannot_be(truncation: float) -> None:
    with pytest.raises(RecipeError, match="0 < truncation <= 1"):
        check_truncation(truncation)
    with pytest.raises(RecipeError, match="0 < truncation <= 1"):
        painter(DEEP).at_truncation(truncation)


def test_standing_averages_are_those_of_many_passes() -> None:
    torch.manual_seed(0)
    network = BigGAN(config(**DEEP))
    classes = torch.eye(3)[torch.arange(64) % 3]
    batches = [(torch.randn(64, 10) * 0.5, classes) for _ in range(3)]
    before = {name: value.clone() for name, value in network.named_buffers()}
    stand(network, batches, row=4)
    for name, value in network.named_buffers():
        rest = [i for i in range(11) if i != 4]
        assert torch.equal(value[rest], before[name][rest])
        assert not torch.equal(value[4], before[name][4])
    assert network.training
    # the first norm sees the linear layer's output, so its averages can be worked out by hand
    embed = classes @ network.shared.weight
    seen = torch.stack([network.linear(torch.cat([z, embed], 1)) for z, _ in batches])
    seen = seen.view(3, 64, 16, 4, 4).transpose(1, 2).flatten(2)  # pass, channel, values
    first = next(m for m in network.modules() if isinstance(m, StandingNorm))
    torch.testing.assert_close(first.mean[4], seen.mean((0, 2)), **TORCH)
    torch.testing.assert_close(first.var[4], seen.var(2).mean(0), **TORCH)
    assert first.momentum == 0.1
    with pytest.raises(RecipeError, match="no batches"):
        stand(network, [])


# --- what does not fit


def test_weights_of_another_shape() -> None:
    network = BigGAN(config())
    with pytest.raises(CheckpointError, match="mis-shaped"):
        build(network.state_dict(), config(width=8).to_dict(), NoShelf())
    values = {**config().to_dict(), "class_names": ["one"]}
    with pytest.raises(CheckpointError, match="3 classes"):
        build(network.state_dict(), values, NoShelf())


@pytest.mark.parametrize("kind", ["plain", "deep", "flat z", "two blocks a stage"])
def test_weights_of_z_stand_where_its_pieces_do(kind: str) -> None:
    model = painter(KINDS[kind])
    network = model.network
    assert isinstance(network, BigGAN)
    weights = model.latent_weights()
    z = Rng((5,)).normal(model.z_dim)
    x, conditions = network._inputs(z, torch.zeros(1, model.num_classes))
    labels = network.config.label_dim if network.config.deep else 0
    torch.testing.assert_close(
        z @ weights[0].T,
        x[:, : x.shape[1] - labels] @ network.linear.weight[:, : x.shape[1] - labels].T,
    )
    norms = [m for m in network.modules() if type(m).__name__ == "ConditionalNorm"]
    pieces = list(conditions)
    if len(weights) > 1:
        each = 4 if network.config.deep else 2
        gains = [z @ weight.T for weight in weights[1:]]
        wanted = [norm.gain(pieces[i // each]) for i, norm in enumerate(norms)]
        for gain, right in zip(gains, wanted, strict=True):
            torch.testing.assert_close(gain, right)
