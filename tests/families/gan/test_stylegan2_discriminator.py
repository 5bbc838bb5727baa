"""StyleGAN2's discriminator: against a flat forward written from the paper, R1, learning."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from phosphene.families.gan.stylegan2_config import StyleGAN2Config
from phosphene.families.gan.stylegan2_discriminator import Discriminator
from tests.zoo.stylegan_reference import filtered

BASE = StyleGAN2Config(
    resolution=16, z_dim=6, w_dim=8, channel_base=64, channel_max=12, d_mapping_layers=2
)
KINDS = {
    "residual": {},
    "skip": {"d_architecture": "skip"},
    "plain, clamped": {"d_architecture": "plain", "conv_clamp": 1.5},
    "clamped": {"conv_clamp": 1.0, "group_size": 2},
    "classes": {"num_classes": 3},
}


def network(**changes: object) -> Discriminator:
    torch.manual_seed(1)
    made = Discriminator(StyleGAN2Config.from_dict({**BASE.to_dict(), **changes}))
    for name, parameter in made.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    return made


def reduced(x: Tensor) -> Tensor:
    return torch.stack([filtered(sample, 1, (1, 1), 1.0)[:, ::2, ::2] for sample in x])


def judged(made: Discriminator, images: Tensor, classes: Tensor | None) -> Tensor:
    """The forward pass from the paper, over the tensors by name."""
    t, c = made.state_dict(), made.config
    half = math.sqrt(0.5)

    def conv(name: str, x: Tensor, stride: int = 1, clamp: float | None = c.conv_clamp) -> Tensor:
        w = t[f"{name}.weight"]
        w = w / math.sqrt(w[0].numel())
        padding = 0 if stride == 2 else w.shape[2] // 2
        y = F.conv2d(x, w, t[f"{name}.bias"], padding=padding, stride=stride)
        y = F.leaky_relu(y, 0.2) * math.sqrt(2)
        return y if clamp is None else y.clamp(-clamp, clamp)

    def dense(name: str, x: Tensor, rate: float = 1.0) -> Tensor:
        w = t[f"{name}.weight"] * rate / math.sqrt(x.shape[1])
        return x @ w.T + t[f"{name}.bias"] * rate

    x, side, image = None, c.sides[0], images
    while side > 4:
        name = f"b{side}"
        if f"{name}.fromrgb.weight" in t:
            seen = conv(f"{name}.fromrgb", image)
            x = seen if x is None else x + seen
        assert x is not None
        beside = x
        x = conv(f"{name}.conv0", x)
        wide = torch.stack([filtered(sample, 1, (2, 2), 1.0) for sample in x])
        x = conv(f"{name}.conv1", wide, 2)
        if c.d_architecture == "residual":
            w = t[f"{name}.skip.weight"] / math.sqrt(beside.shape[1])
            x = (x + F.conv2d(reduced(beside), w)) * half
        image, side = reduced(image), side // 2
    assert x is not None
    if c.d_architecture == "skip":
        x = x + conv("b4.fromrgb", image, clamp=None)
    size = min(c.group_size, len(x))
    groups = x.view(size, -1, *x.shape[1:])
    spread = (groups.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3)).repeat(size)
    x = torch.cat([x, spread[:, None, None, None].expand(-1, 1, 4, 4)], 1)
    x = conv("b4.conv", x).flatten(1)
    x = dense("b4.out", F.leaky_relu(dense("b4.fc", x), 0.2) * math.sqrt(2))
    if classes is None:
        return x[:, 0]
    y = dense("mapping.embed", classes)
    y = y / (y.square().mean(1, keepdim=True) + 1e-8).sqrt()
    for i in range(c.d_mapping_layers):
        y = F.leaky_relu(dense(f"mapping.fc{i}", y, 0.01), 0.2) * math.sqrt(2)
    return (x * y).sum(1) / math.sqrt(y.shape[1])


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_agrees_with_the_paper(kind: str) -> None:
    made = network(**KINDS[kind])
    images = torch.randn(4, 3, 16, 16)
    classes = torch.softmax(torch.randn(4, 3), 1) if made.num_classes else None
    found, wanted = made(images, classes), judged(made, images, classes)
    assert float(wanted.std()) > 1e-3
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_r1_reaches_every_weight(kind: str) -> None:
    made = network(**KINDS[kind])
    images = torch.randn(4, 3, 16, 16, requires_grad=True)
    classes = torch.eye(3)[[0, 1, 2, 0]] if made.num_classes else None
    logits = made(images, classes)
    (slope,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    torch.autograd.backward(slope.square().sum((1, 2, 3)).mean())
    without = [
        name
        for name, parameter in made.named_parameters()
        if parameter.grad is None and not name.endswith("bias")
    ]
    assert not without


def test_second_derivatives_are_exact() -> None:
    made = network(resolution=8, channel_max=3).double()
    images = torch.randn(2, 3, 8, 8, dtype=torch.float64, requires_grad=True)

    def slope(x: Tensor, keep: bool = False) -> Tensor:
        return torch.autograd.grad(made(x).pow(2).sum(), x, create_graph=keep)[0]

    direction, step = torch.randn_like(images), 1e-6
    (second,) = torch.autograd.grad((slope(images, True) * direction).sum(), images)
    after, before = (slope(images + sign * step * direction) for sign in (1, -1))
    torch.testing.assert_close(second, (after - before) / (2 * step), atol=1e-5, rtol=1e-4)


def test_other_sizes_and_types() -> None:
    made = network(resolution=(16, 24), channels=4)
    images = torch.randn(3, 4, 16, 24)
    exact = made(images).detach()
    assert exact.shape == (3,)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = made(images).detach()
    cast = made.to(torch.bfloat16)(images).detach()
    for found in (mixed, cast):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, exact, atol=0.1, rtol=0.1)


def test_it_learns_to_tell_bright_from_dark() -> None:
    made = network()
    images = torch.randn(8, 3, 16, 16) * 0.3
    images[::2] += 0.7
    wanted = torch.tensor([1.0, -1.0] * 4)
    optimiser = torch.optim.Adam(made.parameters(), lr=0.01, betas=(0.0, 0.99))
    for _ in range(25):
        optimiser.zero_grad()
        torch.autograd.backward(F.softplus(-wanted * made(images)).mean())
        optimiser.step()
    assert bool((made(images) * wanted > 0).all())
