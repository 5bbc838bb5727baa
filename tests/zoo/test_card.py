"""Cards: complete, strict, and equal after a trip through TOML."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from phosphene.zoo.card import Card, to_toml

PLAIN: dict[str, Any] = {
    "name": "tiny",
    "family": "tokens",
    "arch": "vqgan",
    "summary": "a tiny model",
    "parameters": 3,
    "licence": "Apache-2.0",
    "source": "here",
    "trained_on": "nothing",
    "bytes": 10,
    "file": "tiny.safetensors",
}
HASH = "ab" * 32
WHEEL = {"package": "demo-weights", "version": "1.0", "member": "demo/model.safetensors"}


def without_origin(**fields: Any) -> dict[str, Any]:
    return {k: v for k, v in PLAIN.items() if k != "file"} | fields


@pytest.mark.parametrize(
    ("fields", "origin"),
    [
        (PLAIN, "embedded"),
        ({**PLAIN, "file": "/models/tiny.safetensors"}, "the file /models/tiny.safetensors"),
        (
            {**PLAIN, "converted": {"file": "last.ckpt", "sha256": HASH}},
            "converted from 'last.ckpt', sha256 abababababab",
        ),
        (without_origin(wheel=WHEEL, sha256=HASH), "PyPI demo-weights==1.0"),
        (without_origin(url="https://x.org/m", sha256=HASH), "https://x.org/m"),
        (
            without_origin(hub={"repo": "a/b", "revision": "c" * 40}),
            "Hugging Face a/b at cccccccccccc",
        ),
    ],
)
def test_origins(fields: dict[str, Any], origin: str) -> None:
    card = Card(**fields)
    assert card.origin == origin
    assert Card(**tomllib.loads(to_toml(card))) == card


@pytest.mark.parametrize(
    "fields",
    [
        without_origin(),
        {**PLAIN, "url": "https://x.org/m", "sha256": HASH},
        without_origin(url="https://x.org/m"),
        without_origin(wheel=WHEEL),
        without_origin(wheel={**WHEEL, "package": "--index-url=evil"}, sha256=HASH),
        without_origin(wheel={**WHEEL, "version": "1.0 --pre"}, sha256=HASH),
        without_origin(hub={"repo": "a/b", "revision": "main"}),
        {**PLAIN, "name": "../escape"},
        {**PLAIN, "name": "a\n"},
        {**PLAIN, "name": ""},
        {**PLAIN, "summary": "two\nlines"},
        {**PLAIN, "parameters": 0},
        {**PLAIN, "sha256": "short"},
        {**PLAIN, "colour": "green"},
    ],
)
def test_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Card(**fields)


LINES = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1)


@given(
    summary=LINES,
    config=st.dictionaries(
        st.text(st.characters(codec="utf-8")),
        st.one_of(
            st.integers(-(2**60), 2**60),
            st.booleans(),
            st.lists(st.floats(allow_nan=False, allow_infinity=False)),
            LINES,
        ),
        max_size=4,
    ),
)
def test_toml_round_trip(summary: str, config: dict[str, Any]) -> None:
    card = Card(**{**PLAIN, "summary": summary[:400], "config": config})
    assert Card(**tomllib.loads(to_toml(card))) == card
