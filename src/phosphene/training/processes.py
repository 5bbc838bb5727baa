"""One training in several processes of this machine, or of several under torchrun.

    with together(2) as team:                       # the second process begins here, too
        for step in train(..., team=team): ...

The first process starts the others as copies of its own command, so this is for command lines.
They say nothing: what one of them dies of, the first one raises. None outlives the first, whatever
becomes of it. Lightning Fabric finds out who is who and opens the group that gradients go through.
"""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from phosphene.core.errors import MissingTool, PhospheneError, ProcessFailed, RecipeError
from phosphene.core.team import ALONE, Team

HOST = "127.0.0.1"
STORE = "PHOSPHENE_TEAM_PORT"  # where a process that was started by another one finds it
MOST = 64
LAST_WORDS_SECONDS = 5.0
FAREWELL_SECONDS = 30.0
CLOSED = ("Connection closed", "Connection reset", "Broken pipe")  # the others were lost, not this


@contextlib.contextmanager
def together(devices: int | None) -> Iterator[Team]:
    """Become a team of `devices` processes; None is one, or as many as torchrun has started.

    Raises:
        RecipeError: a number out of range, or another than torchrun's; or not on a command line.
        MissingTool: Lightning Fabric is not installed.
        ProcessFailed: another process of the team failed; its reason.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:
        with _of_torchrun(devices) as team:
            yield team
    elif STORE in os.environ:
        with _follower() as team:
            yield team
    elif devices in (None, 1):
        yield ALONE
    else:
        with _leader(devices or 1) as team:
            yield team


@contextlib.contextmanager
def _of_torchrun(devices: int | None) -> Iterator[Team]:
    here = int(os.environ["LOCAL_WORLD_SIZE"])
    if devices not in (None, here):
        raise RecipeError(f"torchrun started {here} processes here, not {devices}; leave --devices")
    with _group(here, int(os.environ["WORLD_SIZE"]) // here, torchrun=True) as team:
        yield team


@contextlib.contextmanager
def _leader(devices: int) -> Iterator[Team]:
    """Start the others, and end them."""
    if not 1 <= devices <= MOST:
        raise RecipeError(f"{devices} devices are out of range; use 1 to {MOST}")
    if not any(argument.startswith("--devices") for argument in sys.argv):
        raise RecipeError("several processes are started by the command line; use --devices there")
    _demand_fabric()
    store = TCPStore(HOST, 0, is_master=True, wait_for_workers=False)
    threads = max(1, torch.get_num_threads() // devices)
    names = {
        "NODE_RANK": "0",
        "WORLD_SIZE": str(devices),
        "MASTER_ADDR": HOST,
        "MASTER_PORT": str(_free_port()),
        "OMP_NUM_THREADS": str(threads),
    }
    followers = _start(devices, {**os.environ, **names, STORE: str(store.port)})
    ended_well = False
    try:
        _await_beginning(store, followers)
        torch.set_num_threads(threads)
        with _environment({**names, "LOCAL_RANK": "0"}), _group(devices, 1) as team:
            try:
                yield team
            except PhospheneError:
                raise
            except Exception as error:
                reason = _last_words(store, followers)
                if not reason:
                    raise
                raise ProcessFailed(reason) from error
        ended_well = True
    finally:
        _end(followers, FAREWELL_SECONDS if ended_well else 0.0)


@contextlib.contextmanager
def _follower() -> Iterator[Team]:
    """Take part in the team of the process that started this one."""
    leader, rank = os.getppid(), int(os.environ["LOCAL_RANK"])
    threading.Thread(target=_end_with, args=(leader,), daemon=True).start()
    port = int(os.environ[STORE])
    store = TCPStore(HOST, port, is_master=False, timeout=timedelta(seconds=60))
    store.set(f"ready/{rank}", "yes")
    try:
        with _group(int(os.environ["WORLD_SIZE"]), 1) as team:
            yield team
    except BaseException as error:
        # the group is closed by now, which wakes those who wait for this process
        if not any(sign in str(error) for sign in CLOSED):
            name = "" if isinstance(error, PhospheneError) else f"{type(error).__name__}: "
            store.set(f"error/{rank}", " ".join(f"{name}{error}".split())[:500])
        time.sleep(LAST_WORDS_SECONDS)  # until then the leader has read it, and ends this process
        raise


@contextlib.contextmanager
def _group(here: int, nodes: int, *, torchrun: bool = False) -> Iterator[Team]:
    """Open the group of all processes, who are told apart by the environment."""
    _demand_fabric()
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment

    # named: a variable of some cluster must not make Fabric see another one
    place = TorchElasticEnvironment() if torchrun else LightningEnvironment()
    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)  # what it does is said here
    fabric = Fabric(accelerator="cpu", devices=here, num_nodes=nodes, strategy="ddp", plugins=place)
    fabric.launch()
    try:
        yield Team(fabric.global_rank, fabric.world_size)
    finally:
        dist.destroy_process_group()


def _demand_fabric() -> None:
    try:
        import lightning_fabric  # noqa: F401
    except ImportError:
        raise MissingTool(
            "several processes need Lightning Fabric, which is not installed; "
            "pip install 'phosphene[devices]', or leave --devices"
        ) from None


def _start(devices: int, environment: Mapping[str, str]) -> list[subprocess.Popen[bytes]]:
    """Start this command once more for each further process; Ctrl-C is for the leader alone."""
    command = [sys.executable, *sys.orig_argv[1:]]
    errors = None if "--debug" in sys.argv else subprocess.DEVNULL
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return [
            subprocess.Popen(
                command,
                env={**environment, "LOCAL_RANK": str(rank)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
            for rank in range(1, devices)
        ]
    finally:
        signal.signal(signal.SIGINT, before)


def _await_beginning(store: TCPStore, followers: Sequence[subprocess.Popen[bytes]]) -> None:
    """Return when all have reached the group; they may also die on the way."""
    names = [f"ready/{rank}" for rank in range(1, len(followers) + 1)]
    while not store.check(names):
        for rank, follower in enumerate(followers, start=1):
            if follower.poll() is not None:
                raise ProcessFailed(_death(rank, followers))
        time.sleep(0.05)


def _last_words(store: TCPStore, followers: Sequence[subprocess.Popen[bytes]]) -> str:
    """Why another process failed; nothing if none did."""
    size, until = len(followers) + 1, time.monotonic() + LAST_WORDS_SECONDS
    while time.monotonic() < until:
        for rank in range(1, size):
            if store.check([f"error/{rank}"]):
                return f"process {rank + 1} of {size}: {store.get(f'error/{rank}').decode()}"
        for rank, follower in enumerate(followers, start=1):
            if follower.poll() is not None:
                return _death(rank, followers)
        time.sleep(0.05)
    return ""


def _death(rank: int, followers: Sequence[subprocess.Popen[bytes]]) -> str:
    code = followers[rank - 1].returncode
    how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
    why = "out of memory?" if code == -signal.SIGKILL else "--debug shows what it said"
    return f"process {rank + 1} of {len(followers) + 1} {how} ({why}); the same command goes on"


def _end(followers: Sequence[subprocess.Popen[bytes]], patience: float) -> None:
    """See all of them end: by themselves within `patience` seconds, or by force."""
    until = time.monotonic() + patience
    for follower in followers:
        with contextlib.suppress(subprocess.TimeoutExpired):
            follower.wait(max(0.0, until - time.monotonic()))
    for follower in followers:
        follower.terminate()
    for follower in followers:
        try:
            follower.wait(LAST_WORDS_SECONDS)
        except subprocess.TimeoutExpired:
            follower.kill()
            follower.wait()


def _end_with(leader: int) -> None:
    """End this process when the one that started it has gone, without a word."""
    while os.getppid() == leader:
        time.sleep(0.2)
    os._exit(1)


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _free_port() -> int:
    with socket.socket() as made:
        made.bind((HOST, 0))
        port: int = made.getsockname()[1]
    return port
