"""Foreign checkpoints: what torch saved comes back equal, whatever the format and the name."""

import argparse
import collections
import io
import pickle
import struct
import sys
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from phosphene.core.errors import CheckpointError, UnsafeModel, WeightsError
from phosphene.core.pickle_machine import Unknown
from phosphene.core.unpickle import read_foreign
from phosphene.core.weights import save_weights

FORMATS = ("zip", "legacy")
DTYPES = (
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32),
    *(torch.int16, torch.int8, torch.uint8, torch.bool),
)


def saved(value: object, path: Path, form: str = "zip", protocol: int = 2) -> Path:
    torch.save(value, path, _use_new_zipfile_serialization=form == "zip", pickle_protocol=protocol)
    return path


def assert_same(found: object, wanted: object) -> None:
    """Equal tensors (and dtypes) in equal containers."""
    if isinstance(wanted, Tensor):
        assert isinstance(found, Tensor)
        assert found.dtype == wanted.dtype
        assert torch.equal(found, wanted.detach())
        assert not found.requires_grad
    elif isinstance(wanted, dict):
        assert isinstance(found, dict)
        assert list(found) == list(wanted)
        for key, value in wanted.items():
            assert_same(found[key], value)
    elif isinstance(wanted, list | tuple):
        assert type(found) is type(wanted)
        assert len(found) == len(wanted)  # type: ignore[arg-type]
        for one, other in zip(found, wanted, strict=True):  # type: ignore[call-overload]
            assert_same(one, other)
    else:
        assert found == wanted


@pytest.fixture
def lightning_class() -> Iterator[type]:
    """A class of the name that Lightning's checkpoints use as a key; gone when we read."""
    name = "pytorch_lightning.callbacks.model_checkpoint"
    parts = name.split(".")
    modules = {".".join(parts[:i]): types.ModuleType(name) for i in (1, 2, 3)}
    found = type("ModelCheckpoint", (), {"__module__": name})
    modules[name].ModelCheckpoint = found  # type: ignore[attr-defined]
    sys.modules |= modules
    yield found
    for module in modules:
        sys.modules.pop(module, None)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("form", FORMATS)
def test_tensors_of_every_kind(form: str, protocol: int, tmp_path: Path) -> None:
    base = torch.arange(24.0)
    value = {
        **{str(dtype): (torch.arange(5) % 2).to(dtype) for dtype in DTYPES},
        "scalar": torch.tensor(3.5),
        "empty": torch.empty(0, 4),
        "view": base[4:16].view(3, 4),
        "transposed": base.view(4, 6).T,
        "strided": base[::5],
        "channels last": torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "parameter": nn.Parameter(torch.ones(2)),
        "nested": [{"a": (base, None, True)}, {1, 2}, "text", 1.5, 2**70, b"bytes"],
        "size": torch.Size([1, 2]),
    }
    found = read_foreign(saved(value, tmp_path / "x.ckpt", form, protocol))
    size = found.pop("size")
    assert size == tuple(value.pop("size"))  # type: ignore[call-overload]
    assert_same(found, value)
    shared = found["nested"][0]["a"][0]
    assert shared.untyped_storage().data_ptr() == found["view"].untyped_storage().data_ptr()


@pytest.mark.parametrize("form", FORMATS)
def test_a_state_dict_and_an_optimizer(form: str, tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    adam = {  # as torch.optim writes it; making one here would import the compiler, half a minute
        "state": {0: {"step": torch.tensor(1.0), "exp_avg": torch.rand(4, 3, 3, 3)}},
        "param_groups": [{"lr": 0.001, "betas": (0.9, 0.999), "foreach": None, "params": [0, 1]}],
    }
    value = {"state_dict": net.state_dict(), "optimizer_states": [adam]}
    path = saved(value, tmp_path / "x.pth", form)
    assert_same(read_foreign(path), value)
    assert_same(read_foreign(path, skip={"optimizer_states"}), {"state_dict": net.state_dict()})
    bare = read_foreign(saved(net.state_dict(), path, form))
    assert_same(bare, dict(net.state_dict()))


@pytest.mark.parametrize("form", FORMATS)
def test_what_a_trainer_leaves_beside_the_weights(
    form: str, lightning_class: type, tmp_path: Path
) -> None:
    value = {
        "epoch": 3,
        "callbacks": {lightning_class: {"best_model_score": torch.tensor(0.5), "path": "/x"}},
        "score": np.float64(0.25),
        "array": np.arange(3),
        "options": argparse.Namespace(lr=1),
        "counts": collections.Counter("aab"),
        "groups": collections.defaultdict(list, a=[1]),
        "path": Path("x"),
        "state_dict": collections.OrderedDict(w=torch.ones(2)),
    }
    path = saved(value, tmp_path / "x.ckpt", form)
    del sys.modules[lightning_class.__module__]
    found = read_foreign(path)
    score = {"best_model_score": torch.tensor(0.5), "path": "/x"}
    name = "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint"
    assert_same(found["callbacks"], {Unknown(name): score})
    assert found["options"] == Unknown("argparse.Namespace")
    assert found["counts"] == {"a": 2, "b": 1}
    assert found["groups"] == {"a": [1]}
    assert {type(found[key]) for key in ("score", "array", "path")} == {Unknown}
    assert_same(found["state_dict"], {"w": torch.ones(2)})
    assert lightning_class.__module__ not in sys.modules


def test_safetensors_under_another_name(tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    save_weights(path, {"w": torch.ones(2)}, {})
    assert_same(read_foreign(path), {"w": torch.ones(2)})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>Sign in</html>", "a web page"),
        (b"\n <html>404</html>", "a web page"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied', "a web page"),
        (b'{"error": "gated"}', "JSON text"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a git-lfs pointer"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"GGUF\x03\x00\x00\x00", "GGUF"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"nonsense", "unknown kind"),
        (b"\x08\x00\x00\x00\x00\x00\x00\x00{garbage", "safetensors"),
    ],
)
def test_other_files_are_named(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=reason) as caught:
        read_foreign(path)
    assert "\n" not in str(caught.value)


def test_missing_and_unreadable(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no weights at"):
        read_foreign(tmp_path / "absent.ckpt")
    with pytest.raises(WeightsError, match="cannot read"):
        read_foreign(tmp_path)


@pytest.mark.parametrize(
    ("value", "error", "reason"),
    [
        ([torch.ones(1)], CheckpointError, "holds a list"),
        (torch.ones(1), CheckpointError, "not a table"),
        ({"x": torch.ones(1, dtype=torch.complex64)}, CheckpointError, "ComplexFloatStorage"),
        ({"x": nn.Linear(1, 1)}, UnsafeModel, "torch.nn.modules.linear.Linear"),
        ({"x": torch.ones(2).to_sparse()}, UnsafeModel, "_get_layout"),
        ({"state_dict": {"w": np.float64(1)}}, UnsafeModel, "among its weights"),
    ],
)
def test_what_is_not_read_is_named(
    value: object, error: type[Exception], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=reason):
        read_foreign(saved(value, tmp_path / "x.ckpt"))


def test_big_endian_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.ckpt"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a/data.pkl", pickle.dumps({}, 2))
        file.writestr("a/byteorder", b"big")
    with pytest.raises(CheckpointError, match="big-endian"):
        read_foreign(path)


def test_a_flipped_bit_in_a_zip_is_found(tmp_path: Path) -> None:
    path = saved({"state_dict": {"w": torch.full((64,), 1.5)}}, tmp_path / "x.ckpt")
    data = bytearray(path.read_bytes())
    data[data.find(struct.pack("<f", 1.5) * 3)] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="damaged"):
        read_foreign(path)


BYTES = {}
for form_ in FORMATS:
    buffer = io.BytesIO()
    content_ = {"state_dict": {"w": torch.ones(3), "b": torch.zeros(2, 2).T}, "epoch": 3}
    torch.save(content_, buffer, _use_new_zipfile_serialization=form_ == "zip")
    BYTES[form_] = buffer.getvalue()


@given(
    form=st.sampled_from(FORMATS),
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4),
    end=st.none() | st.integers(1, 2000),
)
@settings(max_examples=150, deadline=None)
def test_damage_never_does_more_than_fail(
    form: str,
    changes: list[tuple[int, int]],
    end: int | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    data = bytearray(BYTES[form])
    for place, value in changes:
        data[place % len(data)] = value
    path = tmp_path_factory.getbasetemp() / "damaged.ckpt"
    path.write_bytes(data[:end])
    assert "\n" not in complaint(path)


def complaint(path: Path) -> str:
    try:
        read_foreign(path)
    except WeightsError as error:
        return str(error)
    return ""
