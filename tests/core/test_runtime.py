import os
import subprocess
import sys

import pytest
import torch

from phosphene.core.errors import DeviceError
from phosphene.core.runtime import on_threads, out_of_memory_named, prepare, resolve_device

FRESH = """
import os, sys
os.environ.pop("OMP_WAIT_POLICY", None)
import phosphene.core.runtime as runtime
assert "torch" not in sys.modules
runtime.prepare()
import torch
print(os.environ["OMP_WAIT_POLICY"], torch.get_float32_matmul_precision())
"""


def test_prepare_comes_before_torch():
    ran = subprocess.run(
        [sys.executable, "-c", FRESH],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == ["passive", "medium"]


def test_prepare_can_be_called_again_and_keeps_a_choice(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    prepare()
    prepare()
    assert os.environ["OMP_WAIT_POLICY"] == "active"


def test_devices():
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("auto").type in ("cpu", "cuda", "mps")


@pytest.mark.parametrize("name", ["cuda:99", "tpu", "", "meta", "cpu:x", "\x1b[2J", "💚" * 99])
def test_no_such_device_is_one_line(name):
    with pytest.raises(DeviceError) as caught:
        resolve_device(name)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_running_out_of_memory_has_one_name(error):
    with pytest.raises(DeviceError, match="smaller size"), out_of_memory_named():
        raise error


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="shape"), out_of_memory_named():
        raise RuntimeError("shape mismatch")


def test_work_is_done_on_other_threads_and_all_is_as_before_in_between():
    def working():
        yield torch.get_num_threads()
        try:
            yield torch.get_num_threads()
        finally:
            ended.append(torch.get_num_threads())

    ended, before = [], torch.get_num_threads()
    for _ in range(2):
        steps = on_threads(working(), before + 1)
        assert next(steps) == before + 1
        assert torch.get_num_threads() == before
        assert next(steps) == before + 1
        assert list(steps) == []
        assert torch.get_num_threads() == before
    assert ended == [before + 1] * 2


def test_threads_are_as_before_where_the_work_failed():
    def failing():
        raise ValueError
        yield

    before = torch.get_num_threads()
    with pytest.raises(ValueError):  # noqa: PT011
        next(on_threads(failing(), before + 1))
    assert torch.get_num_threads() == before
