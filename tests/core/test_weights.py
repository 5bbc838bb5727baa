"""Weights: round trips, and files that lie about themselves."""

import errno
import json
import os
import pickle
import resource
import signal
from pathlib import Path

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from phosphene.core.errors import (
    CheckpointError,
    HashMismatch,
    StorageError,
    UnsafeModel,
    WeightsError,
)
from phosphene.core.header import ITEM_BYTES, MAX_TENSORS, read_header
from phosphene.core.weights import DTYPES, load_into, read_weights, save_weights, sha256_of

TENSORS = {
    "half": torch.arange(6, dtype=torch.float16).reshape(2, 3),
    "full": torch.linspace(-1, 1, 8).reshape(2, 2, 2),
    "count": torch.tensor(7),
    "mask": torch.tensor([True, False, True]),
    "none": torch.empty(0, 4),
}
CONFIG = {"family": "tokens", "arch": "vqgan", "width": 8, "scale": [1.5, 2]}


def raw(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file with any header at all."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def tensor(shape: list[object], span: list[object], dtype: object = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": span}


def written(folder: Path, content: bytes) -> Path:
    path = folder / "model.safetensors"
    path.write_bytes(content)
    return path


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "new" / "model.safetensors"
    save_weights(path, TENSORS, CONFIG)
    tensors, config = read_weights(path, sha256_of(path))
    assert config == CONFIG
    assert tensors.keys() == TENSORS.keys()
    for name, value in TENSORS.items():
        assert tensors[name].dtype == value.dtype
        assert torch.equal(tensors[name], value)
    assert os.listdir(path.parent) == ["model.safetensors"]


def test_same_input_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_weights(tmp_path / name, TENSORS, CONFIG)
    assert sha256_of(tmp_path / "a") == sha256_of(tmp_path / "b")


def test_cast_touches_floats_only(tmp_path: Path) -> None:
    save_weights(tmp_path / "m", TENSORS, {}, dtype=torch.bfloat16)
    tensors, config = read_weights(tmp_path / "m")
    assert config == {}
    assert {name: t.dtype for name, t in tensors.items()} == {
        "half": torch.bfloat16,
        "full": torch.bfloat16,
        "none": torch.bfloat16,
        "count": torch.int64,
        "mask": torch.bool,
    }


def test_tied_and_strided_tensors(tmp_path: Path) -> None:
    base = torch.arange(24.0).reshape(2, 3, 2, 2)
    given = {
        "a": base,
        "b": base,
        "t": base[0, :, 0].T,
        "c": base.to(memory_format=torch.channels_last),
    }
    save_weights(tmp_path / "m", given, {})
    tensors, _ = read_weights(tmp_path / "m")
    assert all(torch.equal(tensors[name], given[name]) for name in given)


def test_every_dtype_is_sized_as_torch_says() -> None:
    assert DTYPES.keys() == ITEM_BYTES.keys()
    assert all(DTYPES[name].itemsize == ITEM_BYTES[name] for name in DTYPES)


def test_bool_bytes_are_normalised(tmp_path: Path) -> None:
    path = written(tmp_path, raw({"m": tensor([2], [0, 2], "BOOL")}, b"\x02\x00"))
    tensors, _ = read_weights(path)
    assert tensors["m"].tolist() == [True, False]
    assert tensors["m"].sum().item() == 1


def test_wrong_hash(tmp_path: Path) -> None:
    save_weights(tmp_path / "m", TENSORS, CONFIG)
    with pytest.raises(HashMismatch, match="its card says 0000"):
        read_weights(tmp_path / "m", "0" * 64)


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_are_refused(tmp_path: Path, protocol: int) -> None:
    canary = tmp_path / "canary"

    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return (os.mkdir, (str(canary),))

    path = written(tmp_path, pickle.dumps(Bomb(), protocol=protocol))
    with pytest.raises((UnsafeModel, CheckpointError)):
        read_weights(path)
    assert not canary.exists()


@pytest.mark.parametrize("zipped", [False, True])
def test_torch_files_are_refused(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "model.safetensors"
    torch.save(TENSORS, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UnsafeModel, match="models convert"):
        read_weights(path)


def test_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no weights at"):
        read_weights(tmp_path / "nothing")
    with pytest.raises(WeightsError, match="cannot read"):
        read_weights(tmp_path)


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


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed(tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path, content)
    with pytest.raises(CheckpointError) as caught:
        read_weights(path)
    message = str(caught.value)
    assert "model.safetensors" in message
    assert "\n" not in message
    assert len(message) < 500 + len(str(path))


SEED_FILE = raw(
    {
        "__metadata__": {"phosphene": '{"format": 1, "config": {"a": 1}}'},
        "w": tensor([2, 2], [0, 16]),
        "b": tensor([3], [16, 22], "F16"),
    },
    bytes(range(22)),
)
WILD = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=5),
    st.none(),
    st.lists(st.integers(-1, 2**65), max_size=4),
)


@settings(max_examples=300, deadline=1000)
@given(
    st.lists(st.tuples(st.integers(0, len(SEED_FILE) - 1), st.integers(0, 255)), max_size=4),
    st.integers(0, len(SEED_FILE)),
)
@example([], len(SEED_FILE))
def test_mutated_bytes_give_tensors_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[int, int]], keep: int
) -> None:
    content = bytearray(SEED_FILE)
    for position, value in edits:
        content[position] = value
    path = written(tmp_path_factory.getbasetemp(), bytes(content[:keep]))
    try:
        tensors, _ = read_weights(path)
    except (CheckpointError, UnsafeModel):
        return
    assert keep == len(SEED_FILE)
    assert sum(t.numel() * t.itemsize for t in tensors.values()) == 22


@settings(max_examples=300, deadline=1000)
@given(
    st.dictionaries(
        st.text(max_size=6),
        st.one_of(
            WILD,
            st.fixed_dictionaries(
                {
                    "dtype": st.one_of(WILD, st.sampled_from(sorted(ITEM_BYTES))),
                    "shape": st.one_of(
                        WILD, st.lists(st.one_of(WILD, st.integers(0, 4)), max_size=3)
                    ),
                    "data_offsets": st.one_of(
                        WILD, st.lists(st.integers(0, 32), min_size=2, max_size=2)
                    ),
                }
            ),
        ),
        min_size=1,
        max_size=4,
    ),
    st.binary(max_size=32),
)
def test_invented_headers(
    tmp_path_factory: pytest.TempPathFactory, header: dict[str, object], data: bytes
) -> None:
    path = written(tmp_path_factory.getbasetemp(), raw(header, data))
    try:
        tensors, _ = read_weights(path)
    except CheckpointError:
        return
    assert sum(t.numel() * t.itemsize for t in tensors.values()) == len(data)


def test_header_needs_no_tensors(tmp_path: Path) -> None:
    path = tmp_path / "m"
    save_weights(path, TENSORS, CONFIG)
    with path.open("rb") as file:
        header = read_header(file, path.stat().st_size, "m")
    assert header.config == CONFIG
    assert header.parameters == 6 + 8 + 1 + 3


def test_full_disk_is_a_storage_error_and_leaves_nothing(tmp_path: Path) -> None:
    # A file size limit makes the kernel refuse the write, as a full disk does.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(StorageError, match="cannot write"):
            save_weights(tmp_path / "m", {"w": torch.zeros(10_000)}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert os.listdir(tmp_path) == []


def test_enospc_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors import SafetensorError

    def full(*_: object) -> None:
        raise SafetensorError(f"I/O error: No space left on device (os error {errno.ENOSPC})")

    monkeypatch.setattr("phosphene.core.weights.save_file", full)
    with pytest.raises(StorageError, match="the disk is full"):
        save_weights(tmp_path / "m", TENSORS, {})


def test_load_into_copies_and_casts() -> None:
    layer = nn.Linear(2, 2)
    load_into(layer, {"weight": torch.eye(2).half(), "bias": torch.zeros(2)}, "x")
    assert torch.equal(layer.weight, torch.eye(2))


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({}, "it lacks weight, bias"),
        ({"weight": torch.eye(2), "bias": torch.zeros(2), "z": torch.zeros(1)}, "it has unknown z"),
        ({"weight": torch.eye(3), "bias": torch.zeros(2)}, r"weight is \[3, 3\], not \[2, 2\]"),
    ],
)
def test_load_into_names_what_differs(tensors: dict[str, Tensor], message: str) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        load_into(nn.Linear(2, 2), tensors, "x.safetensors")
    assert "\n" not in str(caught.value)


def test_load_into_counts_the_rest() -> None:
    extra = {f"z{i}": torch.zeros(1) for i in range(10)}
    with pytest.raises(CheckpointError, match="z0, z1, z2 and 7 more"):
        load_into(nn.Linear(2, 2), extra, "x")
