"""Setting the process up for fast tensor work. Called by surfaces, never at import.

Imports torch only inside its functions, so that a command line can call `prepare` first.
"""

import ctypes
import functools
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from phosphene.core.errors import DeviceError

if TYPE_CHECKING:
    import torch

# mallopt parameters and values of glibc's malloc.h
_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_THRESHOLD = -3
_MIB = 2**20

_NO_ROOM = "out of memory; ask for a smaller size, fewer cutouts or a smaller batch"


def prepare() -> None:
    """Tame threads, allocator and matrix products; harmless to call again.

    OpenMP threads that spin make everything up to 10x slower when another process shares the
    cores, so they sleep; this takes effect only when torch is not yet imported. glibc gives freed
    tensors back to the kernel and pays for it in page faults, up to half of the time of a step.
    On AMD, "medium" sends fp32 products to oneDNN: twice as fast at the same accuracy.
    """
    if "torch" not in sys.modules:
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    _keep_freed_memory()
    import torch

    torch.set_float32_matmul_precision("medium")


@functools.cache
def _keep_freed_memory() -> None:
    """Ask glibc to keep large blocks for reuse; does nothing with other C libraries."""
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_MMAP_THRESHOLD, 1024 * _MIB)
    libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
    libc.mallopt(_M_TOP_PAD, 64 * _MIB)


@contextmanager
def out_of_memory_named() -> Iterator[None]:
    """Turn the many ways in which torch says "out of memory" into one error of one line.

    Raises:
        DeviceError: out of memory.
    """
    import torch

    try:
        yield
    except (MemoryError, torch.OutOfMemoryError):
        raise DeviceError(_NO_ROOM) from None
    except RuntimeError as error:
        if "not enough memory" in str(error) or "can't allocate memory" in str(error):
            raise DeviceError(_NO_ROOM) from None
        raise


def resolve_device(name: str) -> "torch.device":
    """Return the device of a name such as `cpu`, `cuda`, `cuda:1`, `mps`, or `auto` for the best.

    Raises:
        DeviceError: not a device, or this machine has none.
    """
    import torch

    if name == "auto":
        return torch.device(_best())
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError, ValueError):
        raise DeviceError(
            f"no device {name[:40]!r} here; use 'auto', or one of: {', '.join(_present())}"
        ) from None
    if device.type == "meta":
        raise DeviceError("device 'meta' holds no numbers; use 'cpu'")
    return device


def painting_dtype(device: "torch.device") -> "torch.dtype":
    """The precision in which decoders are fastest without visible loss: bf16 where it is native.

    Which one it was is written into each picture, since it decides the last bits.
    """
    import torch

    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    native = device.type == "cpu" and (
        torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    )
    return torch.bfloat16 if native else torch.float32


def _best() -> str:
    return _present()[-1]


def _present() -> list[str]:
    """Devices of this machine, the slowest kind first."""
    import torch

    found = ["cpu"]
    if torch.backends.mps.is_available():
        found.append("mps")
    if torch.cuda.is_available():
        found.append("cuda")
    return found
