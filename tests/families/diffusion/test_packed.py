"""The packed transformer says what diffusers' module says."""

import pytest
import torch
from torch import Tensor

from phosphene.families.diffusion.flow import Words
from phosphene.families.diffusion.packed import pack
from tests.families.diffusion.toys import TINY, flow


def told(rows: int, length: int = 4) -> tuple[Tensor, Tensor, Words]:
    x = torch.randn(rows, TINY.latent_channels, TINY.latent_size, TINY.latent_size)
    words = Words(torch.randn(rows, length, TINY.text_dim), torch.randn(rows, TINY.sentence_dim))
    return x, torch.rand(rows), words


@torch.no_grad()
@pytest.mark.parametrize(("rows", "length"), [(1, 4), (3, 4), (2, 9)])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("patch_size", [1, 2])
def test_velocities_are_those_of_diffusers(rows, length, layers, patch_size) -> None:
    network = flow(layers=layers, patch_size=patch_size).double()
    x, sigma, words = told(rows, length)
    wanted = network(x, sigma, words)
    got = network.pack()(x, sigma, words)
    assert network.packed is not None
    torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_in_bf16_they_are_as_near_as_bf16_is() -> None:
    network = flow()
    x, sigma, words = told(2)
    exact = network(x, sigma, words)
    network.to(torch.bfloat16)
    plain = network(x, sigma, words)
    packed = network.pack()(x, sigma, words)
    assert (packed - exact).norm() < 1.5 * (plain - exact).norm()


@torch.no_grad()
def test_it_follows_the_network_to_another_precision() -> None:
    network = flow().pack()
    x, sigma, words = told(2)
    before = network(x, sigma, words)
    torch.testing.assert_close(network.double()(x, sigma, words), before, rtol=1e-4, atol=1e-4)


def test_gradients_go_through_the_module_itself() -> None:
    network = flow()
    x, sigma, words = told(2)
    plain = network(x.requires_grad_(), sigma, words)
    packed = network.pack()(x, sigma, words)
    assert torch.equal(packed, plain)
    torch.autograd.backward(packed.sum())
    assert x.grad is not None


def test_saved_weights_are_the_same() -> None:
    network = flow()
    names = set(network.state_dict())
    assert set(network.pack().state_dict()) == names


@torch.no_grad()
def test_other_weights_leave_no_copies_behind() -> None:
    network, other = flow(0).pack(), flow(1)
    network.load_state_dict(other.state_dict())
    x, sigma, words = told(2)
    assert network.packed is None
    assert torch.equal(network(x, sigma, words), other(x, sigma, words))


def test_what_still_learns_or_is_built_otherwise_is_not_packed() -> None:
    network = flow()
    assert pack(network.transformer) is not None
    assert pack(network.transformer.train()) is None
    network.transformer.eval().requires_grad_(True)
    assert pack(network.transformer) is None
    assert pack(torch.nn.Linear(2, 2).requires_grad_(False).eval()) is None
    network = flow()
    attention = network.transformer.transformer_blocks[0].attn
    hook = attention.register_forward_hook(lambda *_: None)
    assert pack(network.transformer) is None
    hook.remove()
    assert pack(network.transformer) is not None
    attention.norm_q.eps = 1e-3
    assert pack(network.transformer) is None
