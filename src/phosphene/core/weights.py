"""Weights on disk: safetensors, with the config that rebuilds the network in the metadata.

The metadata key `phosphene` holds `{"format": 1, "config": {...}}` as JSON. A config that names its
`family` and `arch` makes the file loadable by its path. Other tools open the file as usual.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from io import BufferedIOBase
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from phosphene.core.checksum import check_sha256, sha256_of, unreadable
from phosphene.core.errors import CheckpointError, DeviceError
from phosphene.core.files import write_atomic
from phosphene.core.header import CONFIG_KEY, FORMAT_VERSION, Entry, read_header

__all__ = [
    "DTYPES",
    "Shelf",
    "load_into",
    "read_stream",
    "read_weights",
    "save_weights",
    "sha256_of",
]

DTYPES = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "U16": torch.uint16,
    "I16": torch.int16,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "U32": torch.uint32,
    "I32": torch.int32,
    "F32": torch.float32,
    "U64": torch.uint64,
    "I64": torch.int64,
    "F64": torch.float64,
    "C64": torch.complex64,
}


@runtime_checkable
class Shelf(Protocol):
    """What a function that builds a model may ask for besides the model's own tensors."""

    @property
    def device(self) -> torch.device:
        """Where the model will be moved to."""
        ...

    @property
    def dtype(self) -> torch.dtype | None:
        """What it will be cast to; None leaves that to the builder."""
        ...

    def model(self, name: str) -> Any:
        """Return another model by name, for models made of several (a text tower, say)."""
        ...

    def read(self, file_name: str) -> bytes:
        """Return a file that lies beside the weights, such as `tokenizer.json`."""
        ...

    def folder(self) -> Path:
        """Return a real folder holding the weights, for libraries that open files themselves."""
        ...


def save_weights(
    path: Path,
    tensors: Mapping[str, Tensor],
    config: Mapping[str, Any],
    dtype: torch.dtype | None = None,
) -> None:
    """Write tensors and config, all or nothing; the same input gives the same bytes.

    Args:
        config: JSON values; `family` and `arch` in it let the file be loaded by path.
        dtype: What floating-point tensors are cast to (float16, bfloat16); None keeps theirs.
    Raises:
        StorageError: disk full, folder not writable.
    """
    written = {"format": FORMAT_VERSION, "config": dict(config)}
    metadata = {CONFIG_KEY: json.dumps(written, sort_keys=True, allow_nan=False)}
    # A fresh copy each: safetensors refuses tensors that share memory, as tied weights do.
    ready = {
        name: tensor.detach().to(
            device="cpu",
            dtype=dtype if tensor.is_floating_point() else None,
            memory_format=torch.contiguous_format,
            copy=True,
        )
        for name, tensor in tensors.items()
    }
    write_tensors(path, ready, metadata)


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write contiguous tensors that share no memory as safetensors, all or nothing.

    Raises:
        StorageError: disk full, folder not writable; the old file stays.
    """

    def write(temporary: Path) -> None:
        try:
            save_file(tensors, temporary, metadata)
        except SafetensorError as error:
            code = re.search(r"os error (\d+)", str(error))
            if code is None:
                raise
            raise OSError(int(code[1]), str(error)) from None

    write_atomic(path, write)


def read_weights(path: Path, sha256: str | None = None) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and config; the whole header is checked before anything is allocated.

    Args:
        sha256: What the file must hash to, in hexadecimal; None trusts the file.
    Raises:
        HashMismatch: the file is not the one promised.
        CheckpointError: malformed or truncated.
        UnsafeModel: a pickle under another name.
        WeightsError: missing or unreadable.
    """
    try:
        with path.open("rb") as file:
            if sha256 is not None:
                check_sha256(hashlib.file_digest(file, "sha256").hexdigest(), sha256, str(path))
            size = file.seek(0, 2)
            file.seek(0)
            return read_stream(file, size, str(path))
    except OSError as error:
        raise unreadable(path, error) from None


def read_stream(
    file: BufferedIOBase, size: int, name: str
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and config from an open file of `size` bytes; see `read_weights`.

    It reads forward only, so a member of a zip will do.
    """
    header = read_header(file, size, name)
    tensors = {entry.name: _read_tensor(file, entry, name) for entry in header.entries}
    return tensors, dict(header.config)


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], source_name: str) -> None:
    """Copy `tensors` into `module`, which must want exactly these names and shapes.

    Raises:
        CheckpointError: as `check_fit` says.
    """
    check_fit(module, tensors, source_name)
    module.load_state_dict(dict(tensors))


def check_fit(module: nn.Module, tensors: Mapping[str, Tensor], source_name: str) -> None:
    """Check that `module`, which may be on the meta device, wants exactly these tensors.

    Raises:
        CheckpointError: names the first missing, unexpected and mis-shaped tensors, in one line.
    """
    wanted = module.state_dict()
    missing = [name for name in wanted if name not in tensors]
    unexpected = [name for name in tensors if name not in wanted]
    misshaped = [
        f"{name} is {list(tensors[name].shape)}, not {list(wanted[name].shape)}"
        for name in wanted
        if name in tensors and tensors[name].shape != wanted[name].shape
    ]
    if missing or unexpected or misshaped:
        complaints = [
            _complain("lacks", missing),
            _complain("has unknown", unexpected),
            _complain("has mis-shaped", misshaped),
        ]
        raise CheckpointError(
            f"{source_name!r} does not fit {type(module).__name__}: "
            f"{'; '.join(filter(None, complaints))}; "
            "it was made for another architecture or configuration"
        )


def read_values(
    file: BufferedIOBase, span: int, dtype: torch.dtype, what: str, name: str
) -> Tensor:
    """Read `span` bytes, which the caller knows to be there, as a flat tensor.

    Args:
        what: What is being read, and `name` of which file, for messages.
    Raises:
        CheckpointError: the file ends early.
        DeviceError: not enough memory.
    """
    try:
        data = torch.empty(span, dtype=torch.uint8)
    except (RuntimeError, MemoryError):
        raise DeviceError(f"not enough memory for {what} of {name!r} ({span:,} bytes)") from None
    view, filled = data.numpy().data, 0
    while filled < span:
        count = file.readinto(view[filled:])
        if not count:
            raise CheckpointError(f"{name!r} ends inside {what}; fetch it again")
        filled += count
    # Bytes other than 0 and 1 under a bool tensor are undefined behaviour: compare, do not view.
    return data.ne(0) if dtype == torch.bool else data.view(dtype)


def _read_tensor(file: BufferedIOBase, entry: Entry, name: str) -> Tensor:
    what = f"tensor {entry.name!r}"
    flat = read_values(file, entry.end - entry.begin, DTYPES[entry.dtype], what, name)
    return flat.reshape(entry.shape)


def _complain(verb: str, names: list[str], shown: int = 3) -> str:
    if not names:
        return ""
    rest = f" and {len(names) - shown} more" if len(names) > shown else ""
    return f"it {verb} {', '.join(names[:shown])}{rest}"
