"""DCGAN: shapes of all kinds, the paper's architecture, classes that mix, batch independence."""

import pytest
import torch
from torch import nn

from phosphene.core.errors import CheckpointError, RecipeError
from phosphene.core.latent import Space
from phosphene.core.rng import Rng
from phosphene.families.gan.dcgan import DCGANConfig, Discriminator, Generator, build
from phosphene.zoo import Zoo
from phosphene.zoo.fetch import is_here
from tests.shelf import NoShelf

TINY = {"z_dim": 5, "width": 4, "d_width": 4, "class_dim": 3}


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(
    ("resolution", "base"),
    [
        (8, (4, 4, 1)),
        (28, (7, 7, 2)),
        (32, (4, 4, 3)),
        ((16, 24), (4, 6, 2)),
        ((64, 16), (16, 4, 2)),
    ],
)
def test_sizes_and_channels(
    resolution: int | tuple[int, int], base: tuple[int, int, int], channels: int
) -> None:
    config = DCGANConfig(resolution=resolution, channels=channels, **TINY)
    assert config.base == base
    network = Generator(config)
    images = network(torch.zeros(2, 5))
    assert images.shape == (2, channels, *config.sides)
    assert (network.resolution, network.channels) == (config.sides, channels)
    assert images.abs().max() <= 1
    assert Discriminator(config)(images).shape == (2,)


@pytest.mark.parametrize("resolution", [4, 12 + 1, 50, (64, 1024), 76])
def test_resolutions_that_cannot_be(resolution: int | tuple[int, int]) -> None:
    with pytest.raises(RecipeError, match=r"resolution .* 28, 64, 96"):
        DCGANConfig(resolution=resolution)


@pytest.mark.parametrize(
    "wrong",
    [{"z_dim": 0}, {"channels": 2}, {"num_classes": -1}, {"d_norm": "layer"}, {"width": 1.5}],
)
def test_configs_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(CheckpointError, match=next(iter(wrong))):
        DCGANConfig.from_dict(wrong)


def test_is_the_architecture_of_the_paper() -> None:
    """Figure 1 at the widths of the PyTorch example: names, shapes, number of weights."""
    network = Generator(DCGANConfig())
    shapes = {name: tuple(p.shape) for name, p in network.named_parameters()}
    assert shapes["main.0.weight"] == (100, 512, 4, 4)
    assert shapes["main.3.weight"] == (512, 256, 4, 4)
    assert shapes["main.12.weight"] == (64, 3, 4, 4)
    assert sum(p.numel() for p in network.parameters()) == 3_576_704
    assert isinstance(network.main[-1], nn.Tanh)
    d = Discriminator(DCGANConfig())
    assert sum(p.numel() for p in d.parameters()) == 2_765_568 + 1  # the verdict has a bias
    assert abs(float(network.main[3].weight.detach().std()) - 0.02) < 1e-3


def test_each_sample_is_its_own() -> None:
    config = DCGANConfig(resolution=16, num_classes=3, **TINY)
    made = build(Generator(config).state_dict(), config.to_dict(), NoShelf())
    rng = Rng((1, 2, 3, 4))
    z, condition = made.draw(rng), made.condition_of([0, 1, 2, {0: 0.5, 2: 0.5}])
    together = made.decode(z, condition)
    for i in range(4):
        alone = made.decode(
            made.draw(Rng((i + 1,))), made.condition_of(condition.classes[i : i + 1])
        )
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-6, rtol=0)


def test_mixed_classes_are_mixed_embeddings() -> None:
    """Equation: G(z, a e_i + b e_j) is G at the embedding a E_i + b E_j."""
    config = DCGANConfig(resolution=8, num_classes=2, **TINY)
    network = Generator(config).eval()
    z, half = torch.ones(1, 5), torch.tensor([[0.25, 0.75]])
    mixed = network(z, half)
    with torch.no_grad():
        network.embedding.weight[0] = half[0] @ network.embedding.weight
    torch.testing.assert_close(network(z, torch.tensor([[1.0, 0.0]])), mixed)


def test_the_discriminator_projects_on_the_class() -> None:
    """Logit difference of two classes is the inner product with their embeddings' difference."""
    config = DCGANConfig(resolution=8, num_classes=2, d_norm="none", **TINY)
    d, images = Discriminator(config), torch.rand(3, 3, 8, 8)
    one, two = torch.eye(2)[[0, 0, 0]], torch.eye(2)[[1, 1, 1]]
    pooled = d.main(images).mean(dim=(2, 3))
    expected = pooled @ (d.embedding.weight[0] - d.embedding.weight[1])
    torch.testing.assert_close(d(images, one) - d(images, two), expected)


def test_spectral_norms_bound_the_discriminator() -> None:
    config = DCGANConfig(resolution=16, num_classes=2, d_norm="spectral", **TINY)
    d = Discriminator(config)
    for _ in range(30):
        d(torch.rand(2, 3, 16, 16), torch.eye(2))
    weights = [m.weight for m in (*d.main, d.verdict, d.embedding) if hasattr(m, "weight")]
    assert len(weights) == 4
    for weight in weights:
        assert abs(float(torch.linalg.matrix_norm(weight.detach().flatten(1), 2)) - 1) < 0.02


def test_saving_and_loading(tmp_path) -> None:
    from phosphene.core.weights import read_weights, save_weights

    config = DCGANConfig(resolution=(8, 12), channels=4, **TINY)
    network = Generator(config).eval()
    whole = {"family": "gan", "arch": "dcgan", "size": 8, "prior": "uniform", **config.to_dict()}
    save_weights(tmp_path / "x.safetensors", network.state_dict(), whole)
    made = build(*read_weights(tmp_path / "x.safetensors"), NoShelf())
    assert (made.prior, made.resolution) == ("uniform", (8, 12))
    z = made.draw(Rng((0,)))
    assert z.space is Space.Z
    torch.testing.assert_close(made.decode(z), network(z.data).detach())
    with pytest.raises(CheckpointError, match="does not fit Generator"):
        build({}, whole, NoShelf())


def test_the_published_faces_paint_as_written_out_by_hand() -> None:
    """`faces-dcgan` from its wheel: the same pictures as the five layers applied one by one."""
    zoo = Zoo()
    if not is_here(zoo.card("faces-dcgan"), zoo.home):
        pytest.skip("faces-dcgan is not here; `phosphene models pull faces-dcgan`")
    made = zoo.load("faces-dcgan")
    tensors = made.network.state_dict()
    z = made.draw(Rng((0, 1)))
    x = z.data[:, :, None, None]
    for layer, (stride, padding) in enumerate([(1, 0), (2, 1), (2, 1), (2, 1), (2, 1)]):
        weight = tensors[f"main.{3 * layer}.weight"]
        x = torch.nn.functional.conv_transpose2d(x, weight, stride=stride, padding=padding)
        if layer == 4:
            break
        mean, var, gain, shift = (
            tensors[f"main.{3 * layer + 1}.{name}"][:, None, None]
            for name in ("running_mean", "running_var", "weight", "bias")
        )
        x = ((x - mean) / (var + 1e-5).sqrt() * gain + shift).relu()
    torch.testing.assert_close(made.decode(z), x.tanh(), atol=1e-5, rtol=1e-4)
    assert made.resolution == (64, 64)
    assert sum(p.numel() for p in made.parameters()) == zoo.card("faces-dcgan").parameters


def test_the_first_layer_as_a_matrix() -> None:
    network = Generator(DCGANConfig(resolution=16, num_classes=2, **TINY))
    (matrix,) = network.latent_weights()
    z = torch.randn(3, 5)
    first = network.main[0](torch.cat([z, torch.zeros(3, 3)], dim=1)[:, :, None, None])
    torch.testing.assert_close(z @ matrix.T, first.flatten(1))
