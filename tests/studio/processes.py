"""Runs in processes of their own, so that they can be killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
# the command line with the fake perceptor known to the zoo, and a checkpoint after every step
PROGRAM = """
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
from tests.studio.fakes import register_judge
from phosphene.studio import record
from phosphene.cli.app import main
register_judge()
record.CHECKPOINT_SECONDS = 0.0
main()
"""
# a worker of the queue, the same way; every step is an event
WORKER = """
import sys
import threading
from pathlib import Path
from tests.studio.fakes import register_judge
from phosphene.studio import carrying, record
from phosphene.studio.worker import Post, work
register_judge()
record.CHECKPOINT_SECONDS = 0.0
carrying.EVENT_SECONDS = 0.0
share, home, token, data = sys.argv[1:]
place = Path(data) if data else None
work(Post(Path(share), None, "cpu", Path(home), token, place), threading.Event())
"""


def start_worker(
    share: Path, home: Path, token: str = "test", data: Path | None = None
) -> subprocess.Popen[str]:
    """Start a worker of the studio in a folder; SIGTERM ends it when its job is given back."""
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(share), str(home), token, str(data or "")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
        stderr=subprocess.PIPE,
        text=True,
    )


def start(arguments: Sequence[str], folder: Path, home: Path) -> subprocess.Popen[str]:
    """Start `phosphene ARGUMENTS` in a folder."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
            "PHOSPHENE_HOME": str(home),
            "PYTHONUNBUFFERED": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(arguments: Sequence[str], folder: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    process = start(arguments, folder, home)
    out, err = process.communicate(timeout=500)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def hit(process: subprocess.Popen[str], what: signal.Signals, file: str, folder: Path) -> str:
    """Send a signal once a file has appeared in the run's folder; returns its stderr."""
    for _ in range(20_000):
        if list(folder.glob(f"phosphene-runs/*/{file}")):
            break
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(what)
    _, err = process.communicate(timeout=500)
    return err
