"""The type checker that jaxtyping's import hook applies to all of phosphene, in tests only."""

from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype
from beartype.roar import BeartypeDecorHintException

checker = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int is a float, as for mypy


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    """beartype, which leaves out what it cannot check instead of refusing the whole function.

    That is `typing.Self` (behind the hook it sees methods before their class exists), and
    protocols that are not `runtime_checkable`.
    """
    checked: Callable[..., Any]
    try:
        checked = checker(function)
    except BeartypeDecorHintException:
        hints = function.__annotations__
        function.__annotations__ = {k: hint for k, hint in hints.items() if _checkable(hint)}
        checked = checker(function)
    return checked


def _checkable(hint: object) -> bool:
    def probe(value): ...

    probe.__annotations__ = {"value": hint}
    try:
        checker(probe)
    except BeartypeDecorHintException:
        return False
    return True
