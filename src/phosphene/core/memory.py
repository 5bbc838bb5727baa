"""How much memory a computation needs, and how much there is. Knows no model.

A rehearsal carries a computation out on torch's meta device, where tensors have shapes and no
numbers: it takes no memory and next to no time whatever the size, and a ledger of what would be
alive at each moment gives the peak.
"""

import ctypes
import platform
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")
# limit, use, and the part of the use that is file cache, of version 2 and version 1
CONTROLS = (
    ("", "memory.max", "memory.current", "inactive_file"),
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


class Rehearsed(NamedTuple):
    """What a computation would take, bytes.

    Args:
        peak: Of the tensors alive at once, at most.
        largest: Of the largest tensor.
    """

    peak: int
    largest: int


def rehearsed(work: Callable[[], object]) -> Rehearsed:
    """Find what the tensors that `work` makes on the meta device would take.

    Weights may be real: where they meet meta tensors, meta ones of their shape stand in, uncounted.

    Raises:
        NotImplementedError, RuntimeError: it does something that cannot be done without numbers.
    """
    with _Ledger() as ledger:
        work()
    return Rehearsed(ledger.peak, ledger.largest)


class _Ledger(TorchDispatchMode):
    """Counts the bytes of meta tensors that are alive, as kernels would allocate them."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = self.largest = 0
        self._alive: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = (args, dict(kwargs or {}))
        if any(isinstance(leaf, Tensor) and leaf.is_meta for leaf in tree_leaves(given)):
            given = tree_map(_meta, given)
        made = func(*given[0], **given[1])
        for leaf in tree_leaves(made):
            if isinstance(leaf, Tensor) and leaf.is_meta:
                self._enter(leaf.untyped_storage())
        return made

    def _enter(self, storage: torch.UntypedStorage) -> None:
        key, size = id(storage), storage.nbytes()
        if key in self._alive:  # a view
            return

        def leave(_: object) -> None:
            del self._alive[key]
            self.now -= size

        self._alive[key] = weakref.ref(storage, leave)
        self.now += size
        self.peak, self.largest = max(self.peak, self.now), max(self.largest, size)


def _meta(value: Any) -> Any:
    if not isinstance(value, Tensor) or value.is_meta:
        return value
    return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device="meta")


def available_memory(device: torch.device) -> int | None:
    """Bytes that this process may still take without swapping; None where nobody can tell."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu":
        return None
    _give_back()
    free = _machine(PROC / "meminfo")
    limits = [*_limits(PROC / "self" / "cgroup", CGROUPS), *([] if free is None else [free])]
    return min(limits, default=None)


def _give_back() -> None:
    """Return freed blocks to the system, which `prepare` lets glibc keep: they are available."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def _machine(meminfo: Path) -> int | None:
    """What the kernel holds to be available; None on other systems than Linux."""
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    found = fields.get("MemAvailable", "").split()
    return int(found[0]) * 1024 if found else None


def _limits(own: Path, root: Path) -> Iterator[int]:
    """What is left of each limit on our control group and those around it (containers)."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    groups = {controllers: path for _, controllers, path in (s.split(":", 2) for s in lines)}
    for controller, limit, use, cache in CONTROLS:
        if controller not in groups:
            continue
        base = root / controller
        inner = base / groups[controller].lstrip("/")
        for folder in (inner, *inner.parents):
            left = _left(folder, limit, use, cache)
            if left is not None:
                yield left
            if folder == base:
                break


def _left(folder: Path, limit: str, use: str, cache: str) -> int | None:
    try:
        most, used = (int((folder / name).read_text()) for name in (limit, use))
        pairs = [line.split() for line in (folder / "memory.stat").read_text().splitlines()]
    except (OSError, ValueError):  # no such control, or "max"
        return None
    reclaimable = next((int(value) for name, value in pairs if name == cache), 0)
    return max(0, most - used + reclaimable)
