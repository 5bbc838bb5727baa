"""The header of a safetensors file, checked before a byte of data is allocated. Knows no torch.

A file is eight bytes of header length (little endian), the header (JSON: a name to dtype, shape and
the span of its bytes), then the data. All arithmetic here is on Python integers, which do not
overflow; the limits keep a hostile header from costing time or memory.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import BufferedIOBase
from math import prod
from typing import Any

from phosphene.core.errors import CheckpointError, UnsafeModel

MAX_HEADER_BYTES = 8 * 2**20
MAX_TENSORS = 20_000
MAX_DIMENSIONS = 16
CONFIG_KEY = "phosphene"
FORMAT_VERSION = 1
ITEM_BYTES = {
    "BOOL": 1,
    "U8": 1,
    "I8": 1,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "U16": 2,
    "I16": 2,
    "F16": 2,
    "BF16": 2,
    "U32": 4,
    "I32": 4,
    "F32": 4,
    "U64": 8,
    "I64": 8,
    "F64": 8,
    "C64": 8,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor: where its bytes lie, counted from the end of the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Header:
    """A checked header: entries in the order of their bytes, without gaps or overlaps."""

    entries: tuple[Entry, ...]
    config: Mapping[str, Any]

    @property
    def parameters(self) -> int:
        """Number of values in all tensors."""
        return sum(prod(entry.shape) for entry in self.entries)


def read_header(file: BufferedIOBase, size: int, name: str) -> Header:
    """Read and check the header of an open file of `size` bytes, leaving it at the first data byte.

    Raises:
        CheckpointError: malformed, truncated, or beyond the limits.
        UnsafeModel: it is a pickle, which could run code.
    """
    start = file.read(9)
    length = int.from_bytes(start[:8], "little")
    if len(start) < 9 or length > min(MAX_HEADER_BYTES, size - 8) or start[8:9] != b"{":
        _refuse_pickle(start, name)
        raise _malformed(name, f"a header of {length:,} bytes in a file of {size:,}")
    text = start[8:] + file.read(length - 1)
    if len(text) != length:
        raise _malformed(name, f"the header ends after {len(text):,} of {length:,} bytes")
    table = _parse(text, name)
    config = _config(table.pop("__metadata__", {}), name)
    if len(table) > MAX_TENSORS:
        raise _malformed(name, f"{len(table):,} tensors, at most {MAX_TENSORS:,} are read")
    entries = [_entry(key, value, name) for key, value in table.items()]
    entries.sort(key=lambda entry: (entry.begin, entry.end))
    _check_contiguous(entries, size - 8 - length, name)
    return Header(tuple(entries), config)


def _refuse_pickle(start: bytes, name: str) -> None:
    zipped = start.startswith(b"PK\x03\x04")
    pickled = start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")
    if zipped or pickled:
        raise UnsafeModel(
            f"{name!r} is a pickle, which could run code, not a safetensors file; "
            "use `phosphene models convert`"
        )


def _malformed(name: str, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{name!r} is not a whole safetensors file: {reason[:200]}; fetch or export it again"
    )


def _parse(text: bytes, name: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a name occurs twice")
        return found

    try:
        table = json.loads(text, object_pairs_hook=unique)
    except RecursionError:
        raise _malformed(name, "its header is nested too deeply") from None
    except ValueError as error:
        raise _malformed(name, f"its header is not valid JSON ({error})") from None
    if not isinstance(table, dict):
        raise _malformed(name, "its header is not a table")
    return table


def _config(metadata: Any, name: str) -> dict[str, Any]:
    """Return the config phosphene wrote; empty for files from elsewhere."""
    texts = isinstance(metadata, dict) and all(isinstance(v, str) for v in metadata.values())
    if not texts:
        raise _malformed(name, "its metadata is not a table of texts")
    if CONFIG_KEY not in metadata:
        return {}
    try:
        written = json.loads(metadata[CONFIG_KEY])
    except (ValueError, RecursionError):
        raise _malformed(name, "its config is not valid JSON") from None
    version = written.get("format") if isinstance(written, dict) else None
    if type(version) is int and version > FORMAT_VERSION:
        raise CheckpointError(
            f"{name!r} has format {version}, this phosphene reads up to {FORMAT_VERSION}; "
            "upgrade phosphene"
        )
    if version != FORMAT_VERSION or not isinstance(written.get("config"), dict):
        raise _malformed(name, "its config has no known format")
    config: dict[str, Any] = written["config"]
    return config


def _entry(key: str, value: Any, name: str) -> Entry:
    key_shown = repr(key[:80])
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        raise _malformed(name, f"tensor {key_shown} lacks dtype, shape or data_offsets")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        raise _malformed(name, f"tensor {key_shown} has the unknown dtype {str(dtype)[:20]!r}")
    if not _sizes(shape) or len(shape) > MAX_DIMENSIONS:
        raise _malformed(name, f"tensor {key_shown} has the shape {str(shape)[:60]}")
    if not _sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise _malformed(name, f"tensor {key_shown} has the offsets {str(offsets)[:60]}")
    begin, end = offsets
    # An empty tensor may still have absurd other dimensions, which overflow inside torch.
    if prod(shape) * ITEM_BYTES[dtype] != end - begin or prod(n for n in shape if n) >= 2**48:
        raise _malformed(
            name, f"tensor {key_shown} of shape {str(shape)[:60]} {dtype} spans {begin} to {end}"
        )
    return Entry(key, dtype, tuple(shape), begin, end)


def _sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 2**63 for n in value)


def _check_contiguous(entries: list[Entry], data_bytes: int, name: str) -> None:
    position = 0
    for entry in entries:
        if entry.begin != position:
            raise _malformed(
                name, f"tensor {entry.name[:80]!r} begins at byte {entry.begin}, not {position}"
            )
        position = entry.end
    if position > data_bytes:
        raise _malformed(name, f"its tensors need {position:,} bytes, it holds {data_bytes:,}")
    if position < data_bytes:
        raise _malformed(name, f"{data_bytes - position:,} bytes belong to no tensor")
