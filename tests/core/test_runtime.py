import os
import subprocess
import sys

import pytest
import torch

from phosphene.core.errors import DeviceError
from phosphene.core.runtime import out_of_memory_named, prepare, resolve_device

FRESH = """
import os, sys
os.environ.pop("OMP_WAIT_POLICY", None)
import phosphene.core.runtime as runtime
assert "torch" not in sys.modules
runtime.prepare()
import torch
print(os.environ["OMP_WAIT_POLICY"], torch.get_float32_matmul_precision())
"""


@pytest.mark.slow
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
