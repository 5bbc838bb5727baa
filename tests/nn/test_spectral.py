"""Spectral norm is what the singular value decomposition says; folding it changes nothing."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from phosphene.nn.spectral import add_spectral_norm, fold_spectral_norm, orthogonal_penalty


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 4, 5))


def largest(weight: Tensor) -> float:
    return float(torch.linalg.matrix_norm(weight.detach().flatten(1), ord=2))


def test_the_largest_singular_value_becomes_one() -> None:
    net = network()
    add_spectral_norm(net)
    with torch.no_grad():
        for _ in range(100):  # power iterations
            net(torch.zeros(1, 3, 4, 4))
    fold_spectral_norm(net)
    for layer in (net[0], net[3]):
        assert largest(layer.weight) == pytest.approx(1, abs=1e-4)  # type: ignore[arg-type]


def test_folding_changes_no_picture_and_leaves_plain_weights() -> None:
    net = network()
    names = net.state_dict().keys()
    images = torch.randn(2, 3, 4, 4)
    add_spectral_norm(net)
    add_spectral_norm(net)  # twice is once
    with torch.no_grad():
        before = net.eval()(images)
        iterated = copy.deepcopy(net)
        fold_spectral_norm(net.train())
        assert torch.equal(net(images), before)
        assert not torch.equal(network()(images), before)
    assert net.state_dict().keys() == names
    assert not parametrize.is_parametrized(net[0])
    assert parametrize.is_parametrized(iterated[0])


def test_what_is_skipped_stays() -> None:
    net = network()
    add_spectral_norm(net, skip=(net[3],))
    assert parametrize.is_parametrized(net[0])
    assert not parametrize.is_parametrized(net[3])


def test_orthogonal_penalty() -> None:
    with torch.no_grad():
        net = nn.Linear(3, 2, bias=False)
        net.weight.copy_(torch.tensor([[2.0, 0, 0], [0, 3, 0]]))
        assert orthogonal_penalty(net) == 0  # lengths are free
        net.weight.copy_(torch.tensor([[1.0, 2, 0], [3, 1, 0]]))
        assert orthogonal_penalty(net) == 2 * 5**2  # 3 + 2 = 5, above and below the diagonal
        both = nn.Sequential(net, nn.Embedding(4, 4), nn.LayerNorm(3))
        assert orthogonal_penalty(both) == 2 * 5**2


def test_the_penalty_of_a_normalised_network_does_not_iterate() -> None:
    net = network()
    wanted = orthogonal_penalty(net)
    add_spectral_norm(net)
    state = {name: value.clone() for name, value in net.named_buffers()}
    assert len(state) == 4
    torch.testing.assert_close(orthogonal_penalty(net), wanted)
    assert all(torch.equal(value, state[name]) for name, value in net.named_buffers())
    torch.autograd.backward(orthogonal_penalty(net))
    assert net[0].parametrizations.weight.original.grad is not None  # type: ignore[union-attr]
