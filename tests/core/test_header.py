"""The header: whatever a file claims, the answer is tensors that add up or one clear error."""

import io
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from phosphene.core.errors import CheckpointError, UnsafeModel
from phosphene.core.header import ITEM_BYTES, MAX_TENSORS, read_header
from phosphene.core.weights import read_stream


def raw(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file with any header at all."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def tensor(shape: list[object], span: list[object], dtype: object = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": span}


F32x2 = tensor([2], [0, 8])
MALFORMED = {
    "empty": b"",
    "short": b"\x01\x00",
    "length beyond file": raw({"a": F32x2}, b"", length=10**6),
    "length 2^63": raw(b"{}", length=2**63),
    "header of 0 bytes": raw(b""),
    "a list": raw([1]),
    "not json": raw(b"{nonsense"),
    "not utf-8": raw(b'{"\xff": 1}'),
    "nested": raw(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "long number": raw(b'{"a":' + b"9" * 10_000 + b"}"),
    "name twice": raw(b'{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":1}'),
    "entry a number": raw({"a": 1}),
    "extra key": raw({"a": {**F32x2, "x": 1}}, b"x" * 8),
    "unknown dtype": raw({"a": tensor([2], [0, 8], "F4")}, b"x" * 8),
    "dtype a list": raw({"a": tensor([2], [0, 8], [])}, b"x" * 8),
    "shape overflow": raw({"a": tensor([2**62, 8], [0, 0])}),
    "empty with huge sides": raw({"a": tensor([0, 2**40, 2**40], [0, 0])}),
    "negative side": raw({"a": tensor([-2, -1], [0, 8])}, b"x" * 8),
    "bool side": raw({"a": tensor([True, 2], [0, 8])}, b"x" * 8),
    "float side": raw({"a": tensor([2.0], [0, 8])}, b"x" * 8),
    "many sides": raw({"a": tensor([1] * 17, [0, 4])}, b"x" * 4),
    "span too short": raw({"a": tensor([2], [0, 4])}, b"x" * 4),
    "backwards": raw({"a": tensor([2], [8, 0])}, b"x" * 8),
    "gap": raw({"a": tensor([1], [4, 8])}, b"x" * 8),
    "overlap": raw({"a": F32x2, "b": tensor([2], [4, 12])}, b"x" * 12),
    "truncated": raw({"a": F32x2}, b"x" * 7),
    "trailing": raw({"a": F32x2}, b"x" * 9),
    "metadata a list": raw({"__metadata__": []}),
    "metadata a number": raw({"__metadata__": {"phosphene": 1}}),
    "config not json": raw({"__metadata__": {"phosphene": "{"}}),
    "config a list": raw({"__metadata__": {"phosphene": "[]"}}),
    "config nested": raw({"__metadata__": {"phosphene": "[" * 100_000}}),
    "config without format": raw({"__metadata__": {"phosphene": "{}"}}),
    "config newer": raw({"__metadata__": {"phosphene": '{"format": 99, "config": {}}'}}),
    "too many": raw({f"{i}": tensor([0], [0, 0]) for i in range(MAX_TENSORS + 1)}),
}


def read(content: bytes) -> dict[str, Tensor]:
    tensors, _ = read_stream(io.BytesIO(content), len(content), "model.safetensors")
    return tensors


def data_bytes(tensors: dict[str, Tensor]) -> int:
    return sum(t.numel() * t.itemsize for t in tensors.values())


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed(content: bytes) -> None:
    with pytest.raises(CheckpointError) as caught:
        read(content)
    message = str(caught.value)
    assert "model.safetensors" in message
    assert "\n" not in message
    assert len(message) < 400


SEED_FILE = raw(
    {
        "__metadata__": {"phosphene": '{"format": 1, "config": {"a": 1}}'},
        "w": tensor([2, 2], [0, 16]),
        "b": tensor([3], [16, 22], "F16"),
    },
    bytes(range(22)),
)
POSITIONS = st.integers(0, len(SEED_FILE) - 1)


@settings(max_examples=400, deadline=None)
@given(
    edits=st.lists(st.tuples(POSITIONS, st.integers(0, 255)), max_size=4),
    keep=st.integers(0, len(SEED_FILE)),
)
@example(edits=[], keep=len(SEED_FILE))
def test_mutated_bytes(edits: list[tuple[int, int]], keep: int) -> None:
    content = bytearray(SEED_FILE)
    for position, value in edits:
        content[position] = value
    try:
        tensors = read(bytes(content[:keep]))
    except (CheckpointError, UnsafeModel):
        return
    assert keep == len(SEED_FILE)
    assert data_bytes(tensors) == 22


WILD = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=5),
    st.none(),
    st.lists(st.integers(-1, 2**65), max_size=4),
)
ENTRY = st.fixed_dictionaries(
    {
        "dtype": st.one_of(WILD, st.sampled_from(sorted(ITEM_BYTES))),
        "shape": st.one_of(WILD, st.lists(st.one_of(WILD, st.integers(0, 4)), max_size=3)),
        "data_offsets": st.one_of(WILD, st.lists(st.integers(0, 32), min_size=2, max_size=2)),
    }
)


@settings(max_examples=300, deadline=None)
@given(
    header=st.dictionaries(st.text(max_size=6), st.one_of(WILD, ENTRY), min_size=1, max_size=4),
    data=st.binary(max_size=32),
)
def test_invented_headers(header: dict[str, object], data: bytes) -> None:
    try:
        tensors = read(raw(header, data))
    except CheckpointError:
        return
    assert data_bytes(tensors) == len(data)


def test_entries_in_the_order_of_their_bytes() -> None:
    content = raw({"b": tensor([1], [8, 12]), "a": F32x2, "e": tensor([0], [8, 8])}, b"x" * 12)
    header = read_header(io.BytesIO(content), len(content), "m")
    assert [entry.name for entry in header.entries] == ["a", "e", "b"]
    assert header.parameters == 3
    assert header.config == {}
