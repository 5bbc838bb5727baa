"""The builder table: closed, lazily imported, and clear about what it lacks."""

import importlib
import importlib.util

import pytest

from phosphene.core.errors import Unsupported
from phosphene.zoo.builders import BUILDERS, builder


@pytest.mark.parametrize("kind", BUILDERS)
def test_every_entry_is_a_function_of_phosphene(kind: tuple[str, str]) -> None:
    module, _, function = BUILDERS[kind].partition(":")
    assert module.startswith("phosphene.")
    assert callable(getattr(importlib.import_module(module), function))
    assert callable(builder(*kind))


def test_unknown_kind() -> None:
    with pytest.raises(Unsupported, match="did you mean 'tokens/vqgan'"):
        builder("tokens", "vqgam")
