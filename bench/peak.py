"""The machine's own ceiling: what its best GEMM and convolution reach, and how benches report."""

import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode


def seconds(work: Callable[[], object], runs: int = 5, warm_up: int = 1) -> float:
    """Median wall seconds of a call."""
    for _ in range(warm_up):
        work()
    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def paired(first: Callable[[], object], second: Callable[[], object], runs: int) -> list[float]:
    """Median seconds of two calls made in turn, so that a drifting machine meets both alike."""
    first(), second()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(runs):
        for work, kept in zip((first, second), times, strict=True):
            begun = time.perf_counter()
            work()
            kept.append(time.perf_counter() - begun)
    return [statistics.median(kept) for kept in times]


def gemm_peak(dtype: torch.dtype, side: int = 2048) -> float:
    """Best GFLOP/s of a square matrix product."""
    a, b = (torch.zeros(side, side, dtype=dtype) for _ in range(2))
    return 2 * side**3 / seconds(lambda: a @ b, runs=9, warm_up=2) / 1e9


def conv_peak(dtype: torch.dtype, channels: int = 256, side: int = 64) -> float:
    """Best GFLOP/s of a 3x3 convolution in channels-last."""
    x = torch.zeros(4, channels, side, side, dtype=dtype)
    w = torch.zeros(channels, channels, 3, 3, dtype=dtype)
    x, w = (t.to(memory_format=torch.channels_last) for t in (x, w))
    work = 2 * 4 * side**2 * channels**2 * 9
    return work / seconds(lambda: F.conv2d(x, w, padding=1), runs=9, warm_up=2) / 1e9


def gflop(work: Callable[[], object]) -> float:
    """Floating-point operations of a call's matrix products and convolutions, in billions.

    On one thread: what streams compute in others would not be counted.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with FlopCounterMode(display=False) as counter:
        work()
    torch.set_num_threads(threads)
    return float(counter.get_total_flops()) / 1e9


def machine() -> dict[str, object]:
    """What a figure depends on: kind of CPU, threads, torch."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").is_file():
        lines = [line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines()]
        fields = {name.strip(): value.strip() for name, _, value in lines}
        names = ("model name", "cpu family", "model")
        if all(name in fields for name in names):
            cpu = "{} family {} model {}".format(*(fields[name] for name in names))
    bf16 = " with AVX512-BF16" if torch.cpu._is_avx512_bf16_supported() else ""
    return {"cpu": cpu + bf16, "threads": torch.get_num_threads(), "torch": torch.__version__}


def report(**row: object) -> None:
    """Print one result as a JSON line."""
    rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}
    sys.stdout.write(json.dumps(rounded) + "\n")
    sys.stdout.flush()
