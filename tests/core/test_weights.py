"""Weights: round trips, and files that lie about themselves."""

import errno
import os
import pickle
import resource
import signal
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from phosphene.core.errors import (
    CheckpointError,
    HashMismatch,
    StorageError,
    UnsafeModel,
    WeightsError,
)
from phosphene.core.header import ITEM_BYTES, read_header
from phosphene.core.weights import DTYPES, load_into, read_weights, save_weights, sha256_of

TENSORS = {
    "half": torch.arange(6, dtype=torch.float16).reshape(2, 3),
    "full": torch.linspace(-1, 1, 8).reshape(2, 2, 2),
    "count": torch.tensor(7),
    "mask": torch.tensor([True, False, True]),
    "none": torch.empty(0, 4),
}
CONFIG = {"family": "tokens", "arch": "vqgan", "width": 8, "scale": [1.5, 2]}


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


def test_header_alone_gives_config_and_size(tmp_path: Path) -> None:
    path = tmp_path / "m"
    save_weights(path, TENSORS, CONFIG)
    with path.open("rb") as file:
        header = read_header(file, path.stat().st_size, "m")
    assert header.config == CONFIG
    assert header.parameters == 6 + 8 + 1 + 3


def test_every_dtype_is_sized_as_torch_says() -> None:
    assert DTYPES.keys() == ITEM_BYTES.keys()
    assert all(DTYPES[name].itemsize == ITEM_BYTES[name] for name in DTYPES)


def test_bool_bytes_are_normalised(tmp_path: Path) -> None:
    header = b'{"m":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}}'
    path = written(tmp_path, len(header).to_bytes(8, "little") + header + b"\x02\x00")
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
