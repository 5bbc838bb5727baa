"""Training states on disk: what goes in comes out, and damage is named in one line."""

import errno
import json
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from phosphene.core import weights
from phosphene.core.errors import CheckpointError, StorageError
from phosphene.training.checkpoint import flatten, load_state, save_state, unflatten

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.integers(0, 3).map(torch.arange)
)
NESTED = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=4) | st.integers(0, 99), inner, max_size=3)
    ),
    max_leaves=8,
)
STATE = {
    "index": 7,
    "nested": {0: {"step": torch.tensor(3.0)}, "betas": (0.9, 0.999), "none": None, "yes": True},
    "list": [torch.zeros(2, 3, dtype=torch.bfloat16), torch.tensor([1, 2])],
    "last": torch.rand(2, 4, 3, 3).to(memory_format=torch.channels_last),
    "empty": {},
}


def same(a: object, b: object) -> bool:
    """Equal structure, types, layouts and bits."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.dtype == b.dtype and a.stride() == b.stride() and torch.equal(a, b)
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@given(NESTED)
@settings(max_examples=60, deadline=None)
def test_flatten_and_back(value: object) -> None:
    tensors: dict[str, Tensor] = {}
    tree = json.loads(json.dumps(flatten(value, "", tensors)))
    assert same(unflatten(tree, tensors), value)


def test_keys_with_dots_do_not_collide() -> None:
    value = {"a.b": torch.ones(1), "a": {"b": torch.zeros(1)}}
    tensors: dict[str, Tensor] = {}
    assert same(unflatten(flatten(value, "", tensors), tensors), value)


def test_round_trip_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    save_state(path, STATE)
    assert same(load_state(path), STATE)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_saved_state_does_not_follow_the_tensor(tmp_path: Path) -> None:
    weight = torch.ones(2)
    state = {"a": weight, "same again": weight}
    save_state(tmp_path / "x", state)
    weight.zero_()
    assert same(load_state(tmp_path / "x"), {"a": torch.ones(2), "same again": torch.ones(2)})


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "state.safetensors"
    save_state(path, STATE)
    return path


def refused(path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot resume from") as caught:
        load_state(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(path))


def test_damage(saved: Path) -> None:
    whole = saved.read_bytes()
    for content in (b"", whole[:100], whole[:-3], b"\xff" * 64, whole[8:]):
        saved.write_bytes(content)
        refused(saved)
    saved.unlink()
    refused(saved)
    refused(saved.parent)


def test_other_safetensors_files(saved: Path) -> None:
    tensors = load_file(saved)
    tree = {"items": [["x", {"tensor": ".absent"}]]}
    for metadata in (
        None,
        {"other": "1"},
        {"state": "no json"},
        {"state": "[]"},
        {"state": "7"},
        {"state": json.dumps(tree)},
        {"state": '{"items": [1, 2]}'},
    ):
        save_file(tensors, saved, metadata)
        refused(saved)


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Files end after 64 kB, as on a disk that is full."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("small_disk")
def test_a_disk_that_really_ends(saved: Path) -> None:
    with pytest.raises(StorageError, match="cannot write"):
        save_state(saved, {"big": torch.zeros(2**16)})
    assert same(load_state(saved), STATE)
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]


def test_a_full_disk_keeps_the_old_state(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(weights, "save_file", full)
    with pytest.raises(StorageError, match="the disk is full; free some space"):
        save_state(saved, {"new": torch.ones(1)})
    assert same(load_state(saved), STATE)
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]
