"""Checkpoints made to run code, exhaust memory or confuse: refused in one line, touching nothing.

Every file is made here. Where Python's own unpickler would run the payload, it writes a canary.
"""

import builtins
import io
import marshal
import os
import pickle
import resource
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from phosphene.core.errors import CheckpointError, UnsafeModel
from phosphene.core.unpickle import read_foreign

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
CANARY = "phosphene-canary"  # relative: tests stand in their own empty folder
COMMAND = f"touch {CANARY}"
SPARE_BYTES = 256 * 2**20
MODULE = b"this"  # importing it would print a poem, and show in sys.modules


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.reduced = (function, arguments)

    def __reduce__(self) -> object:
        return self.reduced

    def __call__(self) -> None:
        """Never; but pickle insists that what is called be callable."""


class CallWithState(Call):
    """Pickles as a call whose result then has its state set."""

    def __reduce__(self) -> object:
        return (*self.reduced, {"__class__": 1})


def archive(program: bytes, storages: dict[str, bytes] | None = None, method: int = 0) -> bytes:
    """A zip as torch writes it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        file.writestr("archive/data.pkl", program)
        for key, data in (storages or {}).items():
            file.writestr(f"archive/data/{key}", data)
        file.writestr("archive/version", "3\n")
    return buffer.getvalue()


def legacy(program: bytes, rest: bytes = b"") -> bytes:
    """A file as torch wrote it before 1.6."""
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}
    head = [0x1950A86A20F9469CFC6C, 1001, system]
    return b"".join(pickle.dumps(value, 2) for value in head) + program + rest


def tensor(
    count: int, shape: bytes, strides: bytes, storage: bytes = b"torch\nFloatStorage"
) -> bytes:
    """A program that makes {"state_dict": a tensor}; shape and strides are pickled tuples."""
    return (
        b"\x80\x02}X\x0a\x00\x00\x00state_dictctorch._utils\n_rebuild_tensor_v2\n"
        b"((X\x07\x00\x00\x00storagec" + storage + b"\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu"
        b"\x8a\x08" + count.to_bytes(8, "little") + b"tQK\x00" + shape + strides + b"\x89)tRs."
    )


def reducing(protocol: int) -> bytes:
    return pickle.dumps({"state_dict": {"w": Call(os.system, COMMAND)}}, protocol)


def payloads() -> Iterator[tuple[str, bytes]]:
    """Programs that run code in Python's own machine, by name."""
    touch = f"open({CANARY!r}, 'w').close()"
    code = marshal.dumps(compile(touch, "x", "exec"))
    for protocol in PROTOCOLS:
        yield f"os.system, protocol {protocol}", reducing(protocol)
    calls = {
        "exec": Call(builtins.exec, touch),
        "eval": Call(builtins.eval, touch),
        "compile": Call(builtins.exec, Call(compile, touch, "x", "exec")),
        "getattr chain": Call(Call(getattr, Call(__import__, "os"), "system"), COMMAND),
        "nested pickle": Call(pickle.loads, reducing(2)),
        "nested checkpoint": Call(torch.storage._load_from_bytes, archive(reducing(2))),
        "subprocess": Call(subprocess.call, ["touch", CANARY]),
        "state": CallWithState(dict, [("a", 1)]),
        "key": {Call(os.system, COMMAND): 1},
        "outside the weights": {"epoch": Call(os.system, COMMAND), "state_dict": {}},
    }
    for name, value in calls.items():
        yield name, pickle.dumps(value, 2)
    size = len(code).to_bytes(4, "little")
    function = b"ctypes\nFunctionType\ncmarshal\nloads\nB" + size + code + b"\x85R}\x86R"
    yield "marshal", b"\x80\x03" + function + b")R."
    line = COMMAND.encode()
    yield "INST", b"(S'" + line + b"'\nios\nsystem\n."
    yield "OBJ", b"(cos\nsystem\nS'" + line + b"'\no."
    yield "NEWOBJ_EX", b"\x80\x04cos\nsystem\n\x8c\x01x\x85}\x8c\x01aK\x01s\x92."
    yield "STACK_GLOBAL", b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x01x\x85R."
    yield "EXT1", b"\x80\x02\x82\x01)R."
    yield "BUILD on a class", b"\x80\x02ctorch\nTensor\n}X\x01\x00\x00\x00aK\x01sb."
    yield "BUILD on a tensor", tensor(0, b"K\x00\x85", b"K\x01\x85")[:-2] + b"}bs."
    yield "dotted name", b"\x80\x04\x8c\x0ctorch._utils\x8c\x10os.system.__call\x93)R."
    yield "name beside an allowed one", b"\x80\x02ctorch._utils\n_rebuild_tensor_v2.x\n)R."
    yield "buffer", b"\x80\x05\x97."
    yield "bytearray", b"\x80\x05\x96\x01\x00\x00\x00\x00\x00\x00\x00a."
    module = b"\x80\x02(X\x06\x00\x00\x00modulecos\nsystem\nX\x01\x00\x00\x00xX\x01\x00\x00\x00xtQ."
    yield "source of a module", module.replace(b"xtQ", b"xNtQ")
    yield "storage type", tensor(1, b"K\x01\x85", b"K\x01\x85", b"os\nsystem")
    yield "name among the weights", b"\x80\x02}X\x0a\x00\x00\x00state_dict}K\x01cos\nsystem\nss."
    yield "name as a weight's name", b"\x80\x02}X\x0a\x00\x00\x00state_dict}cos\nsystem\nK\x01ss."
    yield "module to import", b"\x80\x02c" + MODULE + b"\ns\n)R."


def bombs() -> Iterator[tuple[str, bytes]]:
    """Programs that lie about sizes, or grow."""
    huge = (2**40).to_bytes(8, "little")
    yield "BINUNICODE8", b"\x80\x04\x8d" + huge + b"x."
    yield "BINBYTES8", b"\x80\x04\x8e" + huge + b"x."
    yield "BINSTRING", b"\x80\x02T\xff\xff\xff\x7fx."
    yield "FRAME", b"\x80\x04\x95" + huge + b"."
    yield "LONG4", b"\x80\x02\x8b\xff\xff\xff\x7fx."
    yield "LONG_BINPUT", b"\x80\x02Kar\xff\xff\xff\x7f."
    yield "digits", b"I" + b"9" * 10_000 + b"\n."
    yield "truncated", reducing(2)[:-20]
    yield "a list that holds itself", b"\x80\x02]q\x00h\x00a."
    yield "a table that holds itself", b"\x80\x02}q\x00K\x01h\x00s."
    yield "deep", b"\x80\x02}K\x01" + b"]" * 20_000 + b"a" * 19_999 + b"s."
    yield "tuples that hash for ever", b"\x80\x02})" + b"2\x86" * 60 + b"K\x01s."
    colliding = b"".join(
        b"\x8a\x0a" + (i * (2**61 - 1)).to_bytes(10, "little") + b"N" for i in range(1, 1000)
    )
    yield "colliding keys", b"\x80\x02}(" + colliding + b"u."
    one = b"K\x01\x85"
    yield "storage beyond the file", tensor(2**40, one, one)
    yield "storage that is missing", tensor(4, one, one).replace(b"\x000X", b"\x007X")
    yield "negative size", tensor(1, b"J\xff\xff\xff\xff\x85", one)
    wide = b"J\xff\xff\xff\x7f\x85"
    yield "stride 0", tensor(1, wide, b"K\x00\x85")
    yield "tensor beyond its storage", tensor(1, one, one).replace(b"tQK\x00", b"tQK\x01")
    yield "absurd empty tensor", tensor(0, wide[:-1] * 3 + b"K\x00t", b"(K\x00K\x00K\x00K\x00t")
    yield "a whole number for a shape", tensor(1, b"K\x01", one)


def files() -> Iterator[tuple[str, str, bytes]]:
    """What stands around the program: containers that lie. Name, file name, bytes."""
    program = reducing(2)
    for protocol in PROTOCOLS:
        yield f"bare, protocol {protocol}", "x.pkl", reducing(protocol)
    yield "bare, as safetensors", "x.safetensors", program
    yield "zip, as safetensors", "x.safetensors", archive(program)
    yield "zip, as picture", "x.png", archive(program)
    yield "zip in a zip", "x.ckpt", archive(archive(program))
    yield "deflated", "x.ckpt", archive(program, method=zipfile.ZIP_DEFLATED)
    bomb = archive(tensor(2**24, b"J\x00\x00\x00\x01\x85", b"K\x01\x85"), {"0": bytes(2**26)}, 8)
    yield "zip bomb", "x.ckpt", bomb
    plain = archive(program)
    yield "truncated zip", "x.ckpt", plain[: len(plain) // 2]
    yield "bytes before the end lost", "x.ckpt", plain[:60] + plain[90:]
    flagged = bytearray(plain)
    for magic, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = -1
        while (start := flagged.find(magic, start + 1)) >= 0:
            flagged[start + place] |= 1
    yield "flag bits", "x.ckpt", bytes(flagged)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("a/data.pkl", pickle.dumps({}, 2))
        file.writestr("b/data.pkl", program)
    yield "two programs", "x.ckpt", buffer.getvalue()
    for name, members in {
        "TorchScript": ("m/data.pkl", "m/constants.pkl", "m/code/__torch__.py"),
        "nothing": ("readme.txt",),
        "../ path": ("../data.pkl", "../../data/0"),
    }.items():
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as file:
            for member in members:
                file.writestr(member, program)
        yield f"zip of {name}", "x.pt", buffer.getvalue()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for member in ("sys_info", "pickle", "storages", "tensors"):
            entry = tarfile.TarInfo(member)
            entry.size = len(program)
            tar.addfile(entry, io.BytesIO(program))
    yield "tar of 2016", "x.pth", buffer.getvalue()
    yield "legacy without end", "x.pth", legacy(program)[:30]
    keys = pickle.dumps(["0"], 2)
    short = legacy(tensor(2**40, b"K\x01\x85", b"K\x01\x85"), keys + (2**40).to_bytes(8, "little"))
    yield "legacy storage beyond the file", "x.pth", short


CORPUS: list[tuple[str, str, bytes]] = [
    *((f"zip: {name}", "x.ckpt", archive(program)) for name, program in (*payloads(), *bombs())),
    *((f"legacy: {name}", "x.pth", legacy(program)) for name, program in payloads()),
    *files(),
]


def test_the_corpus_is_large_and_its_payloads_are_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sys.modules.pop(MODULE.decode(), None)
    assert len({data for _, _, data in CORPUS}) >= 30
    live = 0
    for _, program in payloads():
        try:
            pickle.loads(program)
        except Exception:  # made for torch's machine, or refused by Python's
            continue
        finally:
            canary = Path(CANARY)
            live += canary.exists()
            canary.unlink(missing_ok=True)
    assert live >= 15, "a canary that never sings proves nothing"


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("file_name", "data"),
    [pytest.param(file_name, data, id=name) for name, file_name, data in CORPUS],
)
def test_refused_without_a_trace(
    file_name: str, data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / file_name
    path.write_bytes(data)
    monkeypatch.chdir(tmp_path)
    sys.modules.pop(MODULE.decode(), None)
    modules = set(sys.modules)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + SPARE_BYTES, limits[1]))
    try:
        with pytest.raises((UnsafeModel, CheckpointError)) as caught:
            read_foreign(path)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(path))
    assert os.listdir(tmp_path) == [file_name]
    added = {name for name in set(sys.modules) - modules if not name.startswith("encodings.")}
    assert not added


@pytest.mark.parametrize(("name", "program"), [*payloads()][:6])
def test_the_call_is_named(name: str, program: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.ckpt"
    path.write_bytes(archive(program))
    with pytest.raises(UnsafeModel, match=r"asks to run '(posix|nt)\.system' when it is loaded"):
        read_foreign(path)
