"""Other people's torch checkpoints (.ckpt, .pt, .pth), read without running anything in them.

A checkpoint is a pickle, which is a program. The first wall: a file is recognised by its first
bytes, never by its name. The second: its pickle is followed by `pickle_machine`, which imports
and calls nothing, and knows the few names below; tensors are then cut from the file's own bytes
by the code here. Neither `torch.load` nor `pickle.load` is involved, so a hole in them is not a
hole here. There is no other way in to fall back to.

Both of torch's formats are read: zip (since 1.6) and the plain one before it.
"""

import io
import zipfile
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from io import BufferedIOBase
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from phosphene.core.checksum import unreadable
from phosphene.core.errors import CheckpointError, UnsafeModel
from phosphene.core.file_kinds import described
from phosphene.core.pickle_machine import Unknown, Vocabulary, checked_key, read_pickle
from phosphene.core.weights import read_stream, read_values

MAX_PICKLE_BYTES = 16 * 2**20
MAX_MEMBERS = 100_000
MAX_DEPTH = 64
MAX_DIMENSIONS = 16
STATE = "state_dict"
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_VERSION = 1001
DTYPES = {
    "torch.DoubleStorage": torch.float64,
    "torch.FloatStorage": torch.float32,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16,
    "torch.CharStorage": torch.int8,
    "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
}
# Names that training programs leave beside the weights; they stay names.
INERT = frozenset(
    {
        *("numpy.dtype", "numpy.ndarray", "torch.device"),
        *("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"),
        *("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"),
        *("argparse.Namespace", "pathlib.PosixPath", "pathlib.WindowsPath"),
    }
)


def read_foreign(path: Path, skip: Collection[str] = ()) -> dict[Any, Any]:
    """Read a checkpoint as a plain structure of tensors and Python values.

    Args:
        skip: Keys of the outermost table that are left out and whose tensors are never read,
            such as "optimizer_states".
    Returns:
        The outermost table. Tensors are on the CPU, without gradient; containers are dicts, lists,
        tuples and sets, nested at most 64 deep. Classes and functions that the file names are
        `Unknown`, and never under "state_dict". A safetensors file gives its tensors, by name.
    Raises:
        UnsafeModel: it asks for code to be run.
        CheckpointError: not a checkpoint, damaged, truncated or beyond the limits.
        WeightsError: missing or unreadable.
        DeviceError: not enough memory.
    """
    try:
        with path.open("rb") as file:
            return read_foreign_file(file, str(path), skip)
    except OSError as error:
        raise unreadable(path, error) from None


def read_foreign_file(
    file: BufferedIOBase, source: str, skip: Collection[str] = ()
) -> dict[Any, Any]:
    """Read a checkpoint from an open file that can seek; see `read_foreign`.

    Args:
        source: Its name, for messages.
    """
    size = file.seek(0, 2)
    file.seek(0)
    start = file.read(512)
    file.seek(0)
    if start.startswith(b"PK\x03\x04"):
        return _read_zip(file, size, source, frozenset(skip))
    if start[8:9] == b"{":
        return dict(read_stream(file, size, source)[0])
    if start.startswith(b"\x80"):
        return _read_legacy(file, size, source, frozenset(skip))
    raise CheckpointError(f"{source!r} is not a checkpoint but {described(start)}")


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of values in the file, by the key the pickle gives it."""

    key: str
    dtype: torch.dtype
    count: int

    @property
    def span(self) -> int:
        return self.count * self.dtype.itemsize


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """A tensor that is yet to be cut out of its storage; lengths count values."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _View:
    """Check what torch's `_rebuild_tensor` is asked for; it must lie in its storage."""
    whole = isinstance(storage, Storage) and _sizes((offset,)) and _sizes(shape)
    if not whole or not _sizes(strides) or len(shape) != len(strides):
        raise ValueError("a tensor without storage, offset, shape or strides")
    if len(shape) > MAX_DIMENSIONS or prod(n for n in shape if n) >= 2**48:
        raise ValueError("a tensor of absurd shape")
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    # A stride of 0 could claim any size; no checkpoint needs more values than it stores.
    if prod(shape) > storage.count or (prod(shape) and last >= storage.count):
        raise ValueError("a tensor that reaches beyond its storage")
    return _View(storage, offset, shape, strides)


def _sizes(values: Any) -> bool:
    return isinstance(values, tuple) and all(type(n) is int and 0 <= n < 2**48 for n in values)


def _parameter(data: Any, *_: Any) -> _View:
    if not isinstance(data, _View):
        raise ValueError("a parameter that is not a tensor")
    return data


def _table(pairs: Any = (), *_: Any) -> dict[Any, Any]:
    if not isinstance(pairs, list | tuple | dict):
        return {}  # defaultdict(list) names what missing keys would get
    items = pairs.items() if isinstance(pairs, dict) else pairs
    return {checked_key(key): value for key, value in items}


def _set(items: Any = ()) -> set[Any]:
    if not isinstance(items, list | tuple):
        raise ValueError("a set of something else than a list")
    return set(map(checked_key, items))


def _shape(sizes: Any = ()) -> tuple[int, ...]:
    if not _sizes(sizes):
        raise ValueError("a shape that is not whole numbers")
    return tuple(sizes)


def _bytes(text: Any, encoding: Any = "latin1") -> bytes:
    """Bytes, as protocol 2 spells them."""
    if not isinstance(text, str) or encoding != "latin1":
        raise ValueError("bytes that are not spelled in latin1")
    return text.encode("latin1")


CALLS: Mapping[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch.Size": _shape,
    "_codecs.encode": _bytes,
    "collections.OrderedDict": _table,
    "collections.defaultdict": _table,
    "collections.Counter": _table,
    "builtins.set": _set,
    "__builtin__.set": _set,
}


class Storages:
    """The storages a pickle refers to; one key always means the same one."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.known: dict[str, Storage] = {}

    def refer(self, reference: Any) -> Storage:
        """Turn torch's ("storage", type, key, device, count) into a storage."""
        if not isinstance(reference, tuple) or len(reference) not in (5, 6):
            raise ValueError("a reference that is not a storage")
        kind, type_, key, _, count, *view = reference
        if kind != "storage" or not isinstance(key, str) or not _sizes((count,)) or any(view):
            raise UnsafeModel(
                f"{self.source!r} refers to something else than a plain storage; refused"
            )
        if not isinstance(type_, Unknown) or type_.name not in DTYPES:
            named = type_.name[:60] if isinstance(type_, Unknown) else type(type_).__name__
            raise CheckpointError(f"{self.source!r} holds {named!r}, a type that is not read")
        storage = Storage(key, DTYPES[type_.name], count)
        if self.known.setdefault(key, storage) != storage:
            raise ValueError("a storage of two types")
        return storage

    def vocabulary(self) -> Vocabulary:
        return Vocabulary(CALLS, INERT, self.refer)


def _read_zip(file: BufferedIOBase, size: int, source: str, skip: frozenset[str]) -> dict[Any, Any]:
    try:
        with zipfile.ZipFile(file) as archive:
            members = _members(archive, size, source)
            program = _program(members, source)
            folder = program.rpartition("/")[0]
            order = members.get(f"{folder}/byteorder")
            if order is not None and archive.read(order) != b"little":
                raise CheckpointError(f"{source!r} was written by a big-endian machine; not read")
            storages = Storages(source)
            steps = io.BytesIO(archive.read(members[program]))
            tree = read_pickle(steps, MAX_PICKLE_BYTES, source, storages.vocabulary())

            def load(storage: Storage) -> Tensor:
                member = members.get(f"{folder}/data/{storage.key}")
                if member is None or member.file_size != storage.span:
                    raise CheckpointError(
                        f"{source!r} lacks storage {storage.key[:40]!r} of {storage.span:,} bytes; "
                        "it is damaged: fetch it again"
                    )
                with archive.open(member) as data:
                    what = f"storage {storage.key[:40]!r}"
                    return read_values(data, storage.span, storage.dtype, what, source)  # type: ignore[arg-type]

            return _outermost(tree, load, source, skip)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:100]
        raise CheckpointError(f"{source!r} is a damaged zip ({reason}); fetch it again") from None


def _members(archive: zipfile.ZipFile, size: int, source: str) -> dict[str, zipfile.ZipInfo]:
    """The files of the archive by name, none of which can be larger than it looks."""
    listed = archive.infolist()
    members = {member.filename: member for member in listed}
    if len(members) != len(listed) or len(listed) > MAX_MEMBERS:
        raise CheckpointError(f"{source!r} is a zip with doubled or too many members; not read")
    for member in listed:
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise CheckpointError(f"{source!r} is a compressed zip, which torch never writes")
    if sum(m.file_size for m in listed) > size or any(m.header_offset < 0 for m in listed):
        raise CheckpointError(f"{source!r} is a zip whose members overlap; not read")
    return members


def _program(members: Mapping[str, zipfile.ZipInfo], source: str) -> str:
    """Name of the one pickle in the archive."""
    if any(name.endswith("/constants.pkl") or "/code/" in name for name in members):
        raise UnsafeModel(f"{source!r} is a TorchScript program, not a checkpoint; refused")
    found = [name for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(found) != 1:
        raise CheckpointError(f"{source!r} is a zip, but not a torch checkpoint (no data.pkl)")
    if members[found[0]].file_size > MAX_PICKLE_BYTES:
        raise CheckpointError(f"{source!r} holds a pickle beyond {MAX_PICKLE_BYTES:,} bytes")
    return found[0]


def _read_legacy(
    file: BufferedIOBase, size: int, source: str, skip: frozenset[str]
) -> dict[Any, Any]:
    tree, load = open_legacy(file, size, source)
    return _outermost(tree, load, source, skip)


def open_legacy(
    file: BufferedIOBase, size: int, source: str
) -> tuple[Any, Callable[[Storage], Tensor]]:
    """Read a file of five pickles: magic, version, system, structure, keys; then storages' bytes.

    Returns:
        The structure, in which `Storage`s stand for tensors, and what reads one of them.
    Raises:
        UnsafeModel: it asks for code to be run, or is another kind of pickle.
        CheckpointError: damaged, truncated or beyond the limits.
    """
    storages = Storages(source)
    try:
        magic = read_pickle(file, 64, source, Vocabulary({}))
    except CheckpointError:
        magic = None
    if magic != LEGACY_MAGIC:
        raise UnsafeModel(
            f"{source!r} is a Python pickle, which could run code, not a torch checkpoint; refused"
        )
    version = read_pickle(file, 64, source, Vocabulary({}))
    system = read_pickle(file, 4096, source, Vocabulary({}))
    if version != LEGACY_VERSION or not isinstance(system, dict) or not system.get("little_endian"):
        raise CheckpointError(f"{source!r} has an unknown version or byte order; not read")
    tree = read_pickle(file, MAX_PICKLE_BYTES, source, storages.vocabulary())
    keys = read_pickle(file, MAX_PICKLE_BYTES, source, Vocabulary({}))
    starts: dict[str, int] = {}
    position = file.tell()
    for key in keys if isinstance(keys, list) else []:
        if not isinstance(key, str) or key not in storages.known:
            break
        storage = storages.known[key]
        file.seek(position)
        if int.from_bytes(file.read(8), "little") != storage.count:
            break
        starts[key] = position + 8
        position += 8 + storage.span
    if len(starts) != len(storages.known) or position > size:
        raise CheckpointError(f"{source!r} is truncated or damaged; fetch it again")

    def load(storage: Storage) -> Tensor:
        file.seek(starts[storage.key])
        what = f"storage {storage.key[:40]!r}"
        return read_values(file, storage.span, storage.dtype, what, source)

    return tree, load


def _outermost(
    tree: Any, load: Callable[[Storage], Tensor], source: str, skip: frozenset[str]
) -> dict[Any, Any]:
    if not isinstance(tree, dict):
        raise CheckpointError(f"{source!r} holds a {type(tree).__name__}, not a table of tensors")
    cut = Cutter(source, load)
    return {
        key: cut.plain(value, (), strict=key == STATE)
        for key, value in tree.items()
        if key not in skip
    }


class Cutter:
    """Cuts tensors out of storages, and makes sure that the structure is a tree to walk."""

    def __init__(self, source: str, load: Callable[[Storage], Tensor]) -> None:
        self.source = source
        self.load = load
        self.flat: dict[str, Tensor] = {}
        self.done: dict[tuple[int, bool], Any] = {}

    def plain(self, node: Any, above: tuple[int, ...], *, strict: bool) -> Any:
        """Copy a structure with its tensors; what occurs twice is shared, as it was.

        Args:
            above: The containers around it, which it must not be one of.
            strict: Refuse names of classes and functions.
        """
        if isinstance(node, Unknown) and strict:
            raise UnsafeModel(
                f"{self.source!r} has {node.name[:80]!r} among its weights, not a tensor; refused"
            )
        if isinstance(node, Storage):
            return self.storage(node)
        if not isinstance(node, _View | dict | list | tuple | set | frozenset):
            return node
        if (id(node), strict) not in self.done:
            if id(node) in above or len(above) >= MAX_DEPTH:
                raise CheckpointError(f"{self.source!r} is nested too deeply, or holds itself")
            self.done[id(node), strict] = self.copy(node, (*above, id(node)), strict)
        return self.done[id(node), strict]

    def copy(self, node: Any, above: tuple[int, ...], strict: bool) -> Any:
        if isinstance(node, _View):
            return self.storage(node.storage).as_strided(node.shape, node.strides, node.offset)
        if isinstance(node, dict):
            for key in node:
                self.plain(key, above, strict=strict)
            return {key: self.plain(value, above, strict=strict) for key, value in node.items()}
        return type(node)(self.plain(value, above, strict=strict) for value in node)

    def storage(self, storage: Storage) -> Tensor:
        if storage.key not in self.flat:
            self.flat[storage.key] = self.load(storage)
        return self.flat[storage.key]
