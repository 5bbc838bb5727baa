"""Pickles: a state dict passes, nothing that could run code does."""

import io
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch

from phosphene.core.errors import CheckpointError, UnsafeModel
from phosphene.zoo.pickled import read_tensors


def saved(value: Any, zipped: bool = True) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


@pytest.mark.parametrize("zipped", [False, True])
def test_state_dict(zipped: bool) -> None:
    tensors = read_tensors(saved(OrderedDict(w=torch.arange(3)), zipped), "m")
    assert tensors["w"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("protocol", range(6))
def test_code_is_refused(tmp_path: Path, protocol: int) -> None:
    canary = tmp_path / "canary"

    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return (os.mkdir, (str(canary),))

    for data in (pickle.dumps(Bomb(), protocol=protocol), saved({"w": Bomb()})):
        with pytest.raises((UnsafeModel, CheckpointError)) as caught:
            read_tensors(data, "m")
        assert "\n" not in str(caught.value)
    assert not canary.exists()


@pytest.mark.parametrize("zipped", [False, True])
def test_the_same_tensors_as_torch_reads(zipped: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dtypes, shapes, strides and shared storages; and torch's own reader is not asked."""
    table = torch.arange(24.0).view(4, 6)
    state = OrderedDict(
        whole=table,
        turned=table.T,
        part=table[1:3, ::2],
        half=torch.ones(2, dtype=torch.bfloat16),
        count=torch.tensor(7),
        learnt=torch.nn.Parameter(torch.ones(3)),
    )
    data = saved(state, zipped)
    wanted = torch.load(io.BytesIO(data), weights_only=True)
    monkeypatch.setattr(torch, "load", None)
    found = read_tensors(data, "m")
    assert list(found) == list(wanted)
    for name, tensor in wanted.items():
        assert torch.equal(found[name], tensor)
        assert (found[name].dtype, found[name].stride()) == (tensor.dtype, tensor.stride())


@pytest.mark.parametrize("value", [[1, 2], {"w": torch.zeros(1), "epoch": 3}, {1: torch.zeros(1)}])
def test_other_contents(value: Any) -> None:
    with pytest.raises(CheckpointError, match="'m' holds"):
        read_tensors(saved(value), "m")


@pytest.mark.parametrize("keep", [0, 1, 10, 100, 300])
@pytest.mark.parametrize("zipped", [False, True])
def test_truncated(keep: int, zipped: bool) -> None:
    with pytest.raises((CheckpointError, UnsafeModel)):
        read_tensors(saved({"w": torch.zeros(100)}, zipped)[:keep], "m")


def test_one_state_dict_of_several() -> None:
    buffer = io.BytesIO()
    torch.save({"g": {"w": torch.ones(2)}, "d": {"w": torch.zeros(3)}, "epoch": 4}, buffer)
    assert read_tensors(buffer.getvalue(), "x", "g")["w"].tolist() == [1, 1]
    assert read_tensors(buffer.getvalue(), "x", "h") == {}
    with pytest.raises(CheckpointError, match="more than tensors"):
        read_tensors(buffer.getvalue(), "x")
