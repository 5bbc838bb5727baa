"""Latents know the space they live in, and say so when they are in the wrong one."""

from dataclasses import FrozenInstanceError

import pytest
import torch

from phosphene.core.errors import LatentMismatch
from phosphene.core.latent import Condition, Latent, LatentSpec, Space


def test_expect_returns_the_tensor():
    data = torch.zeros(2, 4)
    assert Latent(Space.Z, data).expect(Space.Z) is data
    assert Latent(Space.W, data).expect(Space.Z, Space.W) is data


def test_expect_names_both_spaces():
    latent = Latent(Space.Z, torch.zeros(2, 4))
    with pytest.raises(LatentMismatch, match="needs a latent in space w or w_plus, not in z"):
        latent.expect(Space.W, Space.W_PLUS)


def test_with_data_keeps_the_space():
    moved = Latent(Space.CODES, torch.zeros(1, 2, 3, 3)).with_data(torch.ones(4, 2, 3, 3))
    assert moved.space is Space.CODES
    assert moved.data.shape == (4, 2, 3, 3)


def test_latents_are_values():
    latent = Latent(Space.Z, torch.zeros(1))
    with pytest.raises(FrozenInstanceError):
        latent.space = Space.W  # type: ignore[misc]


def test_latents_and_conditions_can_be_compared_and_looked_up():
    """Comparing the tensors inside would raise: 'truth value is ambiguous'."""
    a, b = (Latent(Space.Z, torch.zeros(3)) for _ in range(2))
    assert a != b
    assert [a, b].index(b) == 1
    assert len({a, b}) == 2
    assert Condition(classes=torch.zeros(2, 3)) != Condition(classes=torch.zeros(2, 3))


def test_specs_compare_by_content():
    assert LatentSpec(Space.TOKENS, (None, None), vocab=512) == LatentSpec(
        Space.TOKENS, (None, None), vocab=512
    )


def test_spaces_read_as_text():
    assert f"{Space.W_PLUS}" == "w_plus"
    assert Space("codes") is Space.CODES
