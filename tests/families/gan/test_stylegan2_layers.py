"""Parts of StyleGAN2: mapping, noise, to-RGB, minibatch deviation, what is kept while frozen."""

import copy

import pytest
import torch

from phosphene.families.gan.stylegan2_layers import (
    MappingNetwork,
    MinibatchStd,
    StyledConv,
    ToRGB,
    unit_scale,
)


def test_unit_scale() -> None:
    x = unit_scale(torch.randn(3, 50) * torch.tensor([[1e-3], [1.0], [1e3]]))
    torch.testing.assert_close(x.square().mean(1), torch.ones(3), atol=0.02, rtol=0)


def test_the_length_of_z_does_not_matter() -> None:
    mapping = MappingNetwork(6, 0, 8, 2, 0.01)
    z = torch.randn(3, 6)
    torch.testing.assert_close(mapping(z), mapping(10 * z), atol=1e-5, rtol=1e-5)


def test_classes_mix_before_the_mapping() -> None:
    mapping = MappingNetwork(6, 3, 8, 2, 0.01)
    z, classes = torch.randn(2, 6), torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    w = mapping(z, classes)
    assert w.shape == (2, 8)
    assert not torch.allclose(mapping(z, classes.flip(0)), w)
    # a mixture's embedding is the mixture of the embeddings
    both = mapping.embed(torch.eye(3)[:2]).mean(0)
    torch.testing.assert_close(mapping.embed(classes)[0], both)
    alone = MappingNetwork(0, 3, 8, 1, 0.01)
    assert alone(None, classes).shape == (2, 8)


def styled(**settings) -> StyledConv:
    layer = StyledConv(4, 6, 5, (8, 8), **settings)
    torch.nn.init.normal_(layer.bias)
    if settings.get("layer_noise", True):
        torch.nn.init.ones_(layer.noise_strength)
    return layer


def test_noise_is_added_before_the_activation() -> None:
    layer = styled()
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    x, w = torch.randn(2, 4, 8, 8), torch.randn(2, 5)
    fresh = torch.randn(2, 1, 8, 8)
    wanted = torch.nn.functional.leaky_relu(fresh, 0.2).expand(2, 6, 8, 8) * 2**0.5
    torch.testing.assert_close(layer(x, w, fresh), wanted)
    constant = layer(x, w)
    torch.testing.assert_close(constant[0], constant[1])
    torch.testing.assert_close(layer(x, w, layer.noise_const.expand(2, 1, 8, 8)), constant)
    assert not hasattr(styled(layer_noise=False), "noise_const")


@pytest.mark.parametrize("up", [False, True])
def test_with_and_without_gradients_alike(up: bool) -> None:
    layer = styled(up=up, clamp=2.0)
    x, w = torch.randn(2, 4, *((4, 4) if up else (8, 8))), torch.randn(2, 5)
    learning = layer(x, w).detach()
    with torch.no_grad():
        torch.testing.assert_close(layer(x, w), learning)
        torch.testing.assert_close(layer(x[:1], w[:1]), learning[:1])
    half = layer(x, w, None, 0.5).detach()
    torch.testing.assert_close(half, learning * 0.5)
    assert float(learning.abs().max()) == 2


def test_what_is_kept_follows_the_weight() -> None:
    layer = styled().requires_grad_(False)
    x, w = torch.randn(1, 4, 8, 8), torch.randn(1, 5)

    def agrees() -> bool:
        fresh = copy.deepcopy(layer)
        fresh._kept.clear()
        return torch.allclose(layer(x, w), fresh(x, w))

    first = layer(x, w)
    assert agrees()
    layer.weight.mul_(torch.rand(6, 4, 3, 3))
    assert agrees()
    assert not torch.allclose(first, layer(x, w))
    layer.weight.data = torch.randn(6, 4, 3, 3)
    assert agrees()
    layer.load_state_dict(styled().state_dict())
    assert agrees()
    layer.to(torch.float64)
    x, w = x.double(), w.double()
    assert agrees()
    with torch.inference_mode():
        assert agrees()


@pytest.mark.parametrize("fused", [False, True])
def test_nothing_is_kept_of_a_layer_that_learns(fused: bool) -> None:
    """Fused optimisers do not count up a weight's version."""
    layer = styled(up=True).train()
    x, w = torch.randn(2, 4, 4, 4), torch.randn(2, 5)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.5, fused=fused)
    for _ in range(2):
        with torch.no_grad():
            shown = layer(x, w)
        learning = layer(x, w)
        torch.testing.assert_close(shown, learning.detach())
        torch.autograd.backward(learning.square().sum())
        optimizer.step()


def test_to_rgb_by_its_definition() -> None:
    layer = ToRGB(4, 3, 5, clamp=1.0)
    torch.nn.init.normal_(layer.bias)
    x, w = torch.randn(2, 4, 6, 5), torch.randn(2, 5)
    styles = layer.affine(w) / 2
    wanted = torch.einsum("bihw,oi,bi->bohw", x, layer.weight[:, :, 0, 0], styles)
    wanted = (wanted + layer.bias[:, None, None]).clamp(-1, 1)
    torch.testing.assert_close(layer(x, w), wanted)
    assert float(wanted.detach().abs().max()) == 1


def test_minibatch_deviation() -> None:
    layer = MinibatchStd(2)
    x = torch.randn(4, 3, 2, 2)
    out = layer(x)
    torch.testing.assert_close(out[:, :3], x)
    for first in (0, 1):  # groups are strided: 0 with 2, 1 with 3
        spread = x[first::2].std(0, correction=0).mean()
        torch.testing.assert_close(out[first::2, 3], spread.expand(2, 2, 2))
    assert layer(torch.ones(2, 3, 2, 2))[:, 3].abs().max() < 1e-3


@pytest.mark.parametrize(("group", "batch", "expected"), [(4, 6, 3), (4, 5, 1), (8, 3, 3)])
def test_groups_that_do_not_fit(group: int, batch: int, expected: int) -> None:
    x = torch.randn(batch, 2, 1, 1)
    found = MinibatchStd(group)(x)[:, 2, 0, 0]
    strided = x.view(expected, batch // expected, 2).var(0, correction=0)
    wanted = (strided + 1e-8).sqrt().mean(1).repeat(expected)
    torch.testing.assert_close(found, wanted)
