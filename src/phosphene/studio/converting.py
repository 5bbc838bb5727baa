"""A checkpoint is converted in a process of its own: one at a time, and what it breaks is itself.

What a checkpoint is, only reading it tells, and that takes memory and torch; so the server has it
done elsewhere. Between the two goes JSON. Imports torch only in the process.
"""

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

from phosphene.core import errors
from phosphene.core.errors import PhospheneError, ProcessFailed, StorageError, TooMany

WAIT_SECONDS = 3600.0  # a checkpoint may have gigabytes

Target = Callable[[Connection, str, Path, str | None, str, Path], None]


def write_model(
    line: Connection, kind: str, checkpoint: Path, config: str | None, name: str, home: Path
) -> None:
    """Convert a checkpoint, and say down the line how that went: what the process does.

    Args:
        checkpoint: The file.
        config: The name of the file beside it that describes it, for kinds that have one.
        name: What to call the model.
        home: Where models live.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends this
    from phosphene.core.runtime import prepare

    prepare()  # before torch is imported
    from phosphene.zoo.convert import convert

    os.chdir(checkpoint.parent)  # so that no message has more than the names of files
    described = None if config is None else Path(config)
    try:
        card = convert(kind, Path(checkpoint.name), described, name, home)
        said = {"name": card.name}
    except StorageError:  # which names a place of this machine
        said = {"error": "StorageError", "message": "the model cannot be written: disk full?"}
    except PhospheneError as error:
        said = {"error": type(error).__name__, "message": str(error)}
    line.send_bytes(json.dumps(said).encode())


class Converter:
    """The process, as the server sees it; any thread may ask.

    Args:
        target: What the process runs.
    """

    def __init__(self, target: Target = write_model) -> None:
        self.target = target
        self._context = multiprocessing.get_context("spawn")
        self._busy = threading.Lock()
        self._process: SpawnProcess | None = None
        self._is_over = False

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Be the only one who converts, while it is seen that a name is free, and it is taken.

        Raises:
            TooMany: it is another's turn.
        """
        if not self._busy.acquire(blocking=False):
            raise TooMany("another checkpoint is being converted; try again when it is done")
        try:
            yield
        finally:
            self._busy.release()

    def convert(
        self,
        kind: str,
        checkpoint: Path,
        config: Path | None,
        name: str,
        home: Path,
        *,
        seconds: float = WAIT_SECONDS,
    ) -> str:
        """Convert a checkpoint in one's turn; returns the name of the model. Waits for it.

        Args:
            config: The file in the same folder that describes it, for kinds that have one.
        Raises:
            RecipeError, UnsafeModel, WeightsError, DeviceError, StorageError: as for
                `zoo.convert.convert`.
            ProcessFailed: the process died, or took too long.
        """
        assert self._busy.locked()
        beside = None if config is None else config.name
        answer = self._answer(seconds, kind, checkpoint, beside, name, home)
        if "name" in answer:
            return answer["name"]
        raise getattr(errors, answer["error"])(answer["message"])

    def stop(self) -> None:
        """End the process, if there is one, for good; whoever waits for it is told that it died."""
        self._is_over = True
        if self._process is not None:
            _end(self._process)

    def _answer(self, seconds: float, *asked: object) -> dict[str, str]:
        line, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=self.target, args=(theirs, *asked), name="phosphene-convert", daemon=True
        )
        process.start()
        self._process = process
        theirs.close()  # so that its end is heard here
        try:
            if self._is_over or not line.poll(seconds):
                raise TimeoutError
            answer: dict[str, str] = json.loads(line.recv_bytes())
        except (OSError, EOFError) as error:  # a timeout is one of them
            why = "took too long" if isinstance(error, TimeoutError) else "died"
            raise ProcessFailed(
                f"the process that converts {why}; is there memory for the checkpoint?"
            ) from None
        finally:
            line.close()
            _end(process)
            self._process = None
        return answer


def _end(process: SpawnProcess) -> None:
    process.kill()  # what it writes is all or nothing
    process.join()
