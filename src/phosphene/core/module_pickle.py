"""Whole torch modules in a plain pickle, as NVIDIA's StyleGANs are published: read as data.

Such a file names classes, carries their source text, and asks Python to run it. Here none of it is
run or imported: an object becomes a table of its class's name and its attributes, the source text
is dropped, and tensors are cut from the bytes in the file. See `pickle_machine` and `unpickle`.
"""

import io
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from phosphene.core.checksum import unreadable
from phosphene.core.errors import CheckpointError
from phosphene.core.pickle_machine import Vocabulary, read_pickle
from phosphene.core.unpickle import CALLS, INERT, Cutter, Storage, open_legacy

MAX_BYTES = 2**31  # the published networks of 1024 px take 363 MB
MAX_LEVELS = 16  # modules inside modules
CLASS, STATE = "class", "state"
# What the published programs define; anything else that is to be called is refused.
PERSISTENT = "torch_utils.persistence._reconstruct_persistent_obj"
EASY_DICT = "dnnlib.util.EasyDict"
TENSORFLOW = "dnnlib.tflib.network.Network"

Object = Mapping[str, Any]  # {CLASS: name, STATE: attributes}


def read_objects(path: Path, wanted: Collection[str]) -> dict[str, Any]:
    """Read some entries of the table that a pickle holds.

    Args:
        wanted: Keys of the table; tensors of others are never copied.
    Returns:
        What was found of them. An object is `{"class": its name, "state": its attributes}`;
        tensors are on the CPU; other names of classes and functions are `Unknown`.
    Raises:
        UnsafeModel: it asks for code to be run.
        CheckpointError: not such a pickle, damaged, truncated or beyond the limits.
        WeightsError: missing or unreadable.
        DeviceError: not enough memory.
    """
    source = str(path)
    inside = _Inside(source)
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            if file.read(1) != b"\x80":
                raise CheckpointError(f"{source!r} is not a Python pickle; fetch it again")
            if size > MAX_BYTES:
                raise CheckpointError(f"{source!r} is a pickle beyond {MAX_BYTES:,} bytes")
            file.seek(0)
            tree = read_pickle(file, size, source, inside.vocabulary())
    except OSError as error:
        raise unreadable(path, error) from None
    if not isinstance(tree, dict):
        raise CheckpointError(f"{source!r} holds a {type(tree).__name__}, not a table of networks")
    cut = Cutter(source, inside.load)
    return {key: cut.plain(tree[key], (), strict=False) for key in wanted if key in tree}


def parts(
    found: Object, source: str, name: str = "", level: int = 0
) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """A module and those inside it: class name and attributes by dotted name, "" for itself.

    Raises:
        CheckpointError: not a module, or nested too deeply.
    """
    kind, state = found.get(CLASS), found.get(STATE)
    inner = state.get("_modules") if isinstance(state, dict) else None
    whole = isinstance(kind, str) and isinstance(state, dict) and isinstance(inner, dict)
    if not whole or level > MAX_LEVELS:
        raise CheckpointError(f"{source!r}: {name[:80] or 'the network'!r} is not a torch module")
    assert isinstance(kind, str)
    assert isinstance(state, dict)
    gathered: dict[str, tuple[str, Mapping[str, Any]]] = {name: (kind, state)}
    for key, value in inner.items() if isinstance(inner, dict) else ():
        if value is None:
            continue
        if not isinstance(key, str) or not isinstance(value, dict):
            raise CheckpointError(f"{source!r}: {str(key)[:80]!r} is not a torch module")
        path = f"{name}.{key}" if name else key
        gathered |= parts(value, source, path, level + 1)
    return gathered


def tensors_of(
    modules: Mapping[str, tuple[str, Mapping[str, Any]]], source: str
) -> dict[str, Tensor]:
    """Parameters and buffers of all parts, by dotted name.

    Raises:
        CheckpointError: something else stands among them.
    """
    tensors: dict[str, Tensor] = {}
    for name, (_, state) in modules.items():
        for table in (state.get("_parameters"), state.get("_buffers")):
            if not isinstance(table, dict):
                raise CheckpointError(f"{source!r}: {name[:80]!r} has no table of tensors")
            for key, value in table.items():
                full = f"{name}.{key}" if name else str(key)
                if value is not None and not isinstance(value, Tensor):
                    raise CheckpointError(f"{source!r}: {full[:80]!r} is not a tensor")
                if value is not None:
                    tensors[full] = value
    return tensors


class _Inside:
    """The calls such a pickle may make, and the bytes of its tensors."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.files: dict[int, tuple[bytes, Storage, Callable[[Storage], Tensor]]] = {}
        self.loads: dict[str, tuple[Storage, Callable[[Storage], Tensor]]] = {}

    def vocabulary(self) -> Vocabulary:
        return Vocabulary(
            {
                **CALLS,
                PERSISTENT: self.object,
                EASY_DICT: CALLS["collections.OrderedDict"],
                TENSORFLOW: self.tensorflow,
                "torch.storage._load_from_bytes": self.storage,
            },
            INERT,
        )

    def object(self, meta: Any) -> dict[str, Any]:
        """Turn `_reconstruct_persistent_obj(meta)` into a table; the source text is dropped."""
        if not isinstance(meta, dict) or meta.get("type") != "class":
            raise ValueError("an object without a class")
        kind, state = meta.get("class_name"), meta.get("state")
        if not isinstance(kind, str) or not isinstance(state, dict):
            raise ValueError("an object without a class name and state")
        return {CLASS: kind, STATE: state}

    def tensorflow(self, *_: Any) -> Any:
        raise CheckpointError(
            f"{self.source!r} is a TensorFlow network; turn it into a PyTorch one by legacy.py of "
            "stylegan2-ada-pytorch first"
        )

    def storage(self, data: Any) -> Storage:
        """Turn the bytes of a storage, a checkpoint of its own, into that storage."""
        if not isinstance(data, bytes):
            raise ValueError("a storage that is not bytes")
        if id(data) not in self.files:  # kept with its bytes, so that an id means the same ones
            found, load = open_legacy(io.BytesIO(data), len(data), self.source)
            if not isinstance(found, Storage):
                raise ValueError("bytes that are not one storage")
            renamed = Storage(f"{len(self.files)}", found.dtype, found.count)
            self.files[id(data)] = (data, renamed, load)
            self.loads[renamed.key] = (found, load)
        return self.files[id(data)][1]

    def load(self, storage: Storage) -> Tensor:
        found, load = self.loads[storage.key]
        return load(found)
