"""Memory: rehearsed peaks against closed forms, and what a system says is left."""

import pytest
import torch
import torch.nn.functional as F

from phosphene.core import memory
from phosphene.core.memory import available_memory, rehearsed

CPU = torch.device("cpu")
MEMINFO = "MemTotal:  9000 kB\nMemAvailable:    5000 kB\nSwapFree: 0 kB\n"


def test_what_is_alive_at_once_counts():
    def work() -> None:
        kept = torch.empty(1000, device="meta")  # 4,000 bytes
        for _ in range(10):
            torch.empty(500, device="meta", dtype=torch.bfloat16)  # 1,000, ten times over
        view = kept.view(10, 100)[2:].T
        view.add_(1)
        (view + 1).sum()  # 3,200 and 4

    assert rehearsed(work) == (4000 + 3200 + 4, 4000)


def test_what_backward_needs_is_counted():
    """y = sum(exp(exp(...(x)))): each exp keeps its result, and one gradient is under way."""

    def work() -> None:
        x = torch.empty(256, device="meta", requires_grad=True)
        y = x
        for _ in range(5):
            y = y.exp()
        torch.autograd.backward(y.sum())

    size = 256 * 4
    assert 6 * size < rehearsed(work).peak <= 9 * size


def test_weights_may_be_real_and_do_not_count():
    weight = torch.ones(8, 3, 3, 3)

    def work() -> None:
        x = torch.empty(1, 3, 1000, 1000, device="meta")
        assert F.conv2d(x, weight, padding=1).is_meta

    assert rehearsed(work).peak == (3 + 8) * 1000 * 1000 * 4
    assert weight.device == CPU


def test_a_terabyte_takes_no_time():
    def work() -> None:
        x = torch.empty(2**38, device="meta")
        (x * 2 + 1).sum()

    assert rehearsed(work).peak > 3 * 2**38


def test_what_needs_numbers_cannot_be_rehearsed():
    with pytest.raises((NotImplementedError, RuntimeError)):
        rehearsed(lambda: torch.ones(3, device="meta").sum().item())


def test_this_machine_has_some():
    found = available_memory(CPU)
    assert found is None or 2**20 < found < 2**50
    assert available_memory(torch.device("meta")) is None


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A system of files, as Linux shows it."""
    monkeypatch.setattr(memory, "PROC", tmp_path / "proc")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path / "cgroup")

    def write(files: dict[str, str]) -> None:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return write


def test_without_linux_nobody_can_tell(system):
    assert available_memory(CPU) is None


def test_the_machine_is_the_limit(system):
    system({"proc/meminfo": MEMINFO, "proc/self/cgroup": "0::/\n"})
    assert available_memory(CPU) == 5000 * 1024


@pytest.mark.parametrize(
    ("own", "folder", "names", "cache"),
    [
        ("0::/a/b\n", "cgroup/a", ("memory.max", "memory.current"), "inactive_file"),
        ("0::/a\n", "cgroup", ("memory.max", "memory.current"), "inactive_file"),
        (
            "5:devices:/\n4:memory:/a/b\n0::/\n",
            "cgroup/memory/a/b",
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
            "total_inactive_file",
        ),
    ],
)
def test_a_container_is_the_limit(system, own, folder, names, cache):
    """Also of a group around it; file cache can be taken back."""
    system(
        {
            "proc/meminfo": MEMINFO,
            "proc/self/cgroup": own,
            f"{folder}/{names[0]}": "3000\n",
            f"{folder}/{names[1]}": "2500\n",
            f"{folder}/memory.stat": f"anon 7\n{cache} 400\n",
        }
    )
    assert available_memory(CPU) == 3000 - 2500 + 400


def test_a_container_without_a_limit(system):
    system(
        {
            "proc/meminfo": MEMINFO,
            "proc/self/cgroup": "0::/a\n",
            "cgroup/a/memory.max": "max\n",
            "cgroup/a/memory.current": "2500\n",
            "cgroup/a/memory.stat": "inactive_file 400\n",
        }
    )
    assert available_memory(CPU) == 5000 * 1024
