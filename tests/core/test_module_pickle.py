"""Modules in a plain pickle: data comes out, all else stays a name or is refused."""

import io
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from phosphene.core import module_pickle
from phosphene.core.errors import CheckpointError, UnsafeModel, WeightsError
from phosphene.core.module_pickle import parts, read_objects, tensors_of
from phosphene.core.pickle_machine import Unknown
from tests.zoo.stylegan_reference import EasyDict, Published, nvidia_names

CANARY = "phosphene-canary"


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.reduced = (function, arguments)

    def __reduce__(self) -> Any:
        return self.reduced


def written(value: object, path: Path, protocol: int = 3) -> Path:
    with nvidia_names():
        path.write_bytes(pickle.dumps(value, protocol))
    return path


def module(**tensors: torch.Tensor) -> Published:
    made = Published("Layer", width=3, where=torch.device("cpu"))
    for name, value in tensors.items():
        made.put("_parameters" if value.is_floating_point() else "_buffers", name, value)
    return made


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_objects_become_tables(protocol: int, tmp_path: Path) -> None:
    inner, shared = module(w=torch.randn(3, 4).t(), n=torch.arange(3)), torch.ones(2)
    outer = module(a=shared, b=shared)
    outer.state["_modules"] = {"inner": inner, "nothing": None}
    value = {"net": outer, "other": EasyDict(a=1), "name": os.system, "x": torch.zeros(1)}
    found = read_objects(written(value, tmp_path / "x.pkl", protocol), ("net", "other", "absent"))
    assert found.keys() == {"net", "other"}
    assert found["other"] == {"a": 1}
    gathered = parts(found["net"], "x")
    assert list(gathered) == ["", "inner"]
    assert gathered["inner"][0] == "Layer"
    assert gathered["inner"][1]["width"] == 3
    assert "module_src" not in str(found)
    tensors = tensors_of(gathered, "x")
    assert tensors.keys() == {"a", "b", "inner.w", "inner.n"}
    torch.testing.assert_close(tensors["inner.w"], inner.state["_parameters"]["w"].detach())
    torch.testing.assert_close(tensors["inner.n"], torch.arange(3))
    assert not any(tensor.requires_grad for tensor in tensors.values())


def test_other_names_stay_names(tmp_path: Path) -> None:
    found = read_objects(written({"a": [os.system]}, tmp_path / "x.pkl"), ("a",))
    assert isinstance(found["a"][0], Unknown)


def storage_with(payload: bytes) -> Call:
    return Call(torch.storage._load_from_bytes, payload)


def legacy(structure: object, keys: object = ()) -> bytes:
    head = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, structure, keys]
    return b"".join(pickle.dumps(value, 2) for value in head)


def hostile() -> dict[str, tuple[object, type[Exception]]]:
    """Values whose pickle would run code, or lie, in Python's own machine."""
    touch = f"touch {CANARY}"
    zipped = io.BytesIO()
    torch.save({"a": 1}, zipped)
    return {
        "a call": ({"net": Call(os.system, touch)}, UnsafeModel),
        "a call outside what is wanted": ({"net": 1, "D": Call(os.system, touch)}, UnsafeModel),
        "in the attributes": ({"net": Published("A", x=Call(os.system, touch))}, UnsafeModel),
        "eval": ({"net": Call(eval, f"open({CANARY!r}, 'w')")}, UnsafeModel),
        "in a storage": (
            {"net": storage_with(legacy(Call(os.system, touch)))},
            UnsafeModel,
        ),
        "a storage that is a pickle": (
            {"net": storage_with(pickle.dumps(Call(os.system, touch)))},
            UnsafeModel,
        ),
        "a storage that is a table": ({"net": storage_with(legacy({}, []))}, CheckpointError),
        "a storage that is a zip": ({"net": storage_with(zipped.getvalue())}, UnsafeModel),
        "a storage that is a text": (
            {"net": Call(torch.storage._load_from_bytes, "text")},
            CheckpointError,
        ),
        "a storage in a storage": (
            {"net": storage_with(legacy(storage_with(legacy({}))))},
            UnsafeModel,
        ),
    }


@pytest.mark.parametrize("name", hostile())
def test_nothing_is_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    value, error = hostile()[name]
    with pytest.raises(error) as caught:
        read_objects(written(value, tmp_path / "x.pkl"), ("net",))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / CANARY).exists()


def test_tensorflow_is_named(tmp_path: Path) -> None:
    program = b"\x80\x03cdnnlib.tflib.network\nNetwork\n)\x81."
    (tmp_path / "x.pkl").write_bytes(program)
    with pytest.raises(CheckpointError, match=r"a TensorFlow network; .*legacy\.py"):
        read_objects(tmp_path / "x.pkl", ("G_ema",))


@pytest.mark.parametrize(
    ("meta", "reason"),
    [
        ({}, "without a class"),
        ({"type": "class"}, "without a class name"),
        ({"type": "class", "class_name": "A", "state": None}, "without a class name and state"),
        ([], "without a class"),
    ],
)
def test_an_object_without_what_it_needs(meta: Any, reason: str, tmp_path: Path) -> None:
    with nvidia_names():
        import torch_utils.persistence as stub  # type: ignore[import-not-found]

        data = pickle.dumps({"net": Call(stub._reconstruct_persistent_obj, meta)}, 3)
    (tmp_path / "x.pkl").write_bytes(data)
    with pytest.raises(CheckpointError, match=reason):
        read_objects(tmp_path / "x.pkl", ("net",))


def test_files_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.pkl"
    for content, reason in ((b"", "not a Python pickle"), (b"PK\x03\x04", "not a Python pickle")):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=reason):
            read_objects(path, ("net",))
    whole = written({"net": module(w=torch.ones(4))}, path).read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(CheckpointError, match="damaged"):
        read_objects(path, ("net",))
    with pytest.raises(WeightsError, match="absent"):
        read_objects(tmp_path / "absent.pkl", ("net",))
    monkeypatch.setattr(module_pickle, "MAX_BYTES", 10)
    with pytest.raises(CheckpointError, match="beyond 10 bytes"):
        read_objects(path, ("net",))


def test_modules_that_hold_themselves(tmp_path: Path) -> None:
    turning = module()
    turning.state["_modules"] = {"again": {"class": "A", "state": turning.state}}
    with pytest.raises(CheckpointError, match="holds itself"):
        read_objects(written({"net": turning}, tmp_path / "x.pkl"), ("net",))
    deep: dict[str, Any] = {"class": "A", "state": {"_modules": {}}}
    for _ in range(20):
        deep = {"class": "A", "state": {"_modules": {"m": deep}}}
    with pytest.raises(CheckpointError, match="not a torch module"):
        parts(deep, "x")
    with pytest.raises(CheckpointError, match="no table of tensors"):
        tensors_of({"": ("A", {})}, "x")
