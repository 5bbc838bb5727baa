"""FeatureNet: conformance with the published layout, and the algebra of its distance."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from phosphene.core.errors import CheckpointError
from phosphene.nn.features import STAGES, TAP_CHANNELS, TAP_STRIDES, FeatureNet

Weights = dict[str, Tensor]


def published_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of `efficientnet-lite-pytorch`'s state dict, from the paper's table."""
    shapes: dict[str, tuple[int, ...]] = {}

    def norm(name: str, channels: int) -> None:
        for leaf in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{leaf}"] = (channels,)
        shapes[f"{name}.num_batches_tracked"] = ()

    shapes["_conv_stem.weight"] = (32, 3, 3, 3)
    norm("_bn0", 32)
    index, width = 0, 32
    for repeats, kernel, _, expansion, outputs in STAGES:
        for _ in range(repeats):
            block, inner = f"_blocks.{index}.", width * expansion
            if expansion > 1:
                shapes[block + "_expand_conv.weight"] = (inner, width, 1, 1)
                norm(block + "_bn0", inner)
            shapes[block + "_depthwise_conv.weight"] = (inner, 1, kernel, kernel)
            norm(block + "_bn1", inner)
            shapes[block + "_project_conv.weight"] = (outputs, inner, 1, 1)
            norm(block + "_bn2", outputs)
            index, width = index + 1, outputs
    shapes["_conv_head.weight"] = (1280, 320, 1, 1)
    norm("_bn1", 1280)
    shapes["_fc.weight"], shapes["_fc.bias"] = (1000, 1280), (1000,)
    return shapes


@pytest.fixture(scope="module")
def weights() -> Weights:
    generator = torch.Generator().manual_seed(0)
    drawn: Weights = {}
    for name, shape in published_shapes().items():
        if name.endswith("num_batches_tracked"):
            drawn[name] = torch.tensor(1)
        elif len(shape) == 1:
            value = torch.rand(shape, generator=generator)
            drawn[name] = value + 0.5 if name.endswith(("weight", "var")) else value - 0.5
        else:
            fan = shape[1] * (shape[2] * shape[3] if len(shape) == 4 else 1)
            drawn[name] = torch.randn(shape, generator=generator) * fan**-0.5
    return drawn


@pytest.fixture(scope="module")
def network(weights: Weights) -> FeatureNet:
    return FeatureNet.from_state(weights)


def images(count: int, height: int, width: int, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, height, width, generator=generator) * 2 - 1


def plain_forward(weights: Weights, pixels: Tensor) -> tuple[list[Tensor], Tensor]:
    """The network written flat from the paper: maps before each halving, and logits."""

    def conv_norm(x: Tensor, conv: str, norm: str, stride: int = 1, active: bool = True) -> Tensor:
        weight = weights[conv + ".weight"]
        kernel = weight.shape[2]
        # TensorFlow's "same" for even sizes: one pixel less on the left and top with stride 2.
        before = (kernel - stride) // 2
        after = kernel - stride - before
        x = F.pad(x, (before, after, before, after))
        groups = x.shape[1] // weight.shape[1]
        x = F.conv2d(x, weight, stride=stride, groups=groups)
        p = {leaf: weights[f"{norm}.{leaf}"][:, None, None] for leaf in ("weight", "bias")}
        mean, var = (weights[f"{norm}.running_{leaf}"][:, None, None] for leaf in ("mean", "var"))
        x = (x - mean) / torch.sqrt(var + 1e-3) * p["weight"] + p["bias"]
        return x.clamp(0, 6) if active else x

    x = conv_norm((pixels - 127) / 128, "_conv_stem", "_bn0", stride=2)
    maps, index = [], 0
    for repeats, _, stage_stride, expansion, _ in STAGES:
        if stage_stride == 2:
            maps.append(x)
        for i in range(repeats):
            block, stride = f"_blocks.{index}.", stage_stride if i == 0 else 1
            h = conv_norm(x, block + "_expand_conv", block + "_bn0") if expansion > 1 else x
            h = conv_norm(h, block + "_depthwise_conv", block + "_bn1", stride)
            h = conv_norm(h, block + "_project_conv", block + "_bn2", active=False)
            x = x + h if h.shape == x.shape else h
            index += 1
    maps.append(x)
    pooled = conv_norm(x, "_conv_head", "_bn1").mean(dim=(2, 3))
    return maps, pooled @ weights["_fc.weight"].T + weights["_fc.bias"]


@pytest.mark.parametrize("fold", [False, True])
def test_agrees_with_the_plain_forward(weights: Weights, fold: bool) -> None:
    pixels = images(2, 64, 96)
    wanted_maps, wanted_logits = plain_forward(weights, 127.5 * (pixels + 1))
    network = FeatureNet.from_state(weights, fold=fold)
    for got, wanted in zip(network(pixels), wanted_maps, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(network.logits(pixels), wanted_logits, rtol=1e-3, atol=1e-3)


def test_map_shapes(network: FeatureNet) -> None:
    shapes = [tuple(m.shape) for m in network(images(1, 64, 96))]
    wanted = [(1, c, 64 // s, 96 // s) for c, s in zip(TAP_CHANNELS, TAP_STRIDES, strict=True)]
    assert shapes == wanted
    assert len(network(images(1, 32, 32), num_maps=2)) == 2


def test_any_size(network: FeatureNet) -> None:
    assert network.pooled(images(1, 33, 50)).shape == (1, 1280)


def test_distance_is_zero_for_equal_and_symmetric(network: FeatureNet) -> None:
    a, b = images(2, 64, 64), images(2, 64, 64, seed=2)
    torch.testing.assert_close(network.distance(a, a), torch.zeros(2))
    torch.testing.assert_close(network.distance(a, b), network.distance(b, a))
    assert (network.distance(a, b) > 0).all()
    assert (network.distance(a, b) <= 4).all()


def test_distance_grows_with_noise(network: FeatureNet) -> None:
    a, noise = images(1, 64, 64), images(1, 64, 64, seed=3)
    distances = [network.distance(a, a + t * noise).item() for t in (0.1, 0.3, 1.0)]
    assert distances == sorted(distances)


def test_cached_target_gives_the_same_distance(network: FeatureNet) -> None:
    a, b = images(2, 64, 64), images(1, 64, 64, seed=2)
    cached = network.signature(b, stages=(1, 2))
    got = network.distance(a, cached, stages=(1, 2))
    both = network.distance(network.signature(a, stages=(1, 2)), cached, stages=(1, 2))
    torch.testing.assert_close(both, got)
    torch.testing.assert_close(got, network.distance(a, b.expand(2, -1, -1, -1), stages=(1, 2)))


def test_gradients_reach_the_images_only(network: FeatureNet) -> None:
    a = images(1, 64, 64).requires_grad_()
    network.distance(a, images(1, 64, 64, seed=2)).sum().backward()
    assert a.grad is not None
    assert a.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in network.parameters())


def test_stays_in_eval_mode(network: FeatureNet) -> None:
    assert not any(module.training for module in network.train().modules())


def test_own_names_and_bf16(weights: Weights) -> None:
    plain = FeatureNet.from_state(weights, fold=False)
    again = FeatureNet.from_state(plain.state_dict())
    x = images(1, 32, 32)
    torch.testing.assert_close(again.logits(x), plain.logits(x), rtol=1e-3, atol=1e-3)
    assert again.to(torch.bfloat16).distance(x, -x).dtype == torch.float32


def test_foreign_weights_are_refused(weights: Weights) -> None:
    wrong = {**weights, "_fc.weight": torch.zeros(10, 1280)}
    del wrong["_conv_head.weight"]
    with pytest.raises(CheckpointError, match=r"head\.conv\.weight.*classifier\.weight is \[10"):
        FeatureNet.from_state(wrong)
