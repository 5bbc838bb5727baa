"""Shapes and types of phosphene are checked while testing, and what cannot be is left out."""

from typing import Protocol, Self

import pytest
import torch
from jaxtyping import TypeCheckError

from phosphene.core.images import from_uint8, resize
from phosphene.core.rng import Rng
from tests.typecheck import check


class Opaque(Protocol):
    def f(self) -> int: ...


def test_shapes_are_checked():
    with pytest.raises(TypeCheckError, match=r"f32\[3,4,4\]"):
        resize(torch.zeros(3, 4, 4), 2, 2)
    with pytest.raises(TypeCheckError, match="from_uint8"):
        from_uint8(torch.zeros(3, 4, 4))
    with pytest.raises(TypeCheckError, match="seeds"):
        Rng(["seven"])


def test_what_cannot_be_checked_does_not_hide_the_rest():
    def build(self, shelf: Opaque | None, count: int) -> Self:
        return self

    assert check(build)("anything", "not a shelf", 3) == "anything"
    with pytest.raises(Exception, match="count"):
        check(build)("anything", None, "three")


def test_an_int_is_a_float():
    def halve(x: float) -> float:
        return x / 2

    assert check(halve)(3) == 1.5
