"""Pictures while one waits: a process beside the workers that paints one picture at once.

A face at each refresh cannot stand in a queue behind a film. The process is started when it is
first asked, keeps its models, and is replaced when it dies. Between it and the server go JSON and
PNG. Imports torch only in the process.
"""

import json
import multiprocessing
import signal
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

from phosphene.core.errors import DeviceError, PhospheneError, RecipeError, TooMany
from phosphene.studio.recipe import Sample, Walk
from phosphene.studio.recipe_text import dump_recipe, parse_recipe

WAIT_SECONDS = 120.0  # the first time, torch and the model are loaded
NUM_KEPT = 64  # pictures that are asked for again are not painted again
MAX_WAITING = 24  # who ask at the same time
PAINTED, REFUSED = b"+", b"-"


def answer(line: Connection, home: Path, device: str) -> None:
    """Paint what comes down the line until it is closed: what the process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which closes the line
    from phosphene.core.runtime import prepare

    prepare()  # before torch is imported
    from phosphene.zoo import Zoo

    zoo = Zoo(home)
    with suppress(EOFError, OSError):
        while True:
            asked = parse_recipe(json.loads(line.recv_bytes()))
            assert isinstance(asked, Sample | Walk)
            try:
                line.send_bytes(PAINTED + _paint(asked, zoo, device))
            except PhospheneError as error:
                line.send_bytes(REFUSED + str(error).encode())


def _paint(recipe: Sample | Walk, zoo: "object", device: str) -> bytes:
    """The recipe's first picture as PNG, with its recipe inside."""
    from phosphene.studio.craft import Painted
    from phosphene.studio.run import run

    for step in run(recipe, zoo, device):  # type: ignore[arg-type]
        if isinstance(step, Painted) and step.artifact is not None:
            return step.artifact.png()
    raise RecipeError("the recipe paints nothing")


class Live:
    """The process, as the server sees it; any thread may ask.

    Args:
        home: Where models live.
        target: What the process runs.
    """

    def __init__(
        self,
        home: Path,
        device: str = "cpu",
        target: Callable[[Connection, Path, str], None] = answer,
    ) -> None:
        self.home, self.device, self.target = home, device, target
        self._context = multiprocessing.get_context("spawn")
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(MAX_WAITING)
        self._process: SpawnProcess | None = None
        self._line: Connection | None = None
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def ask(self, recipe: Sample | Walk, seconds: float = WAIT_SECONDS) -> bytes:
        """The PNG of a sample of one picture, or of a walk of one frame at a known time; the same
        bytes as `phosphene sample` and `phosphene run` write.

        Raises:
            RecipeError: what the generator says about the recipe; or it has no seed, or several,
                or it is a film.
            DeviceError: the process died, or did not answer in time.
            TooMany: so many ask at this moment.
        """
        if isinstance(recipe, Walk):
            if recipe.num_frames != 1 or recipe.times is None or recipe.leaves_files:
                raise RecipeError("num_frames: one picture at once; films are jobs")
            if recipe.path is None:
                raise RecipeError("path: say where to look")
        elif recipe.count != 1:
            raise RecipeError("seed: one picture at once, of one seed")
        if recipe.seed is None:
            raise RecipeError("seed: one picture at once, of one seed")
        text = dump_recipe(recipe)
        if not self._places.acquire(blocking=False):
            raise TooMany(f"{MAX_WAITING} pictures are asked for at once; try again in a moment")
        try:
            return self._kept_or_asked(text, seconds)
        finally:
            self._places.release()

    def stop(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _kept_or_asked(self, text: str, seconds: float) -> bytes:
        with self._lock:
            if text not in self._kept:
                self._kept[text] = self._asked(text, seconds)
                if len(self._kept) > NUM_KEPT:
                    self._kept.popitem(last=False)
            return self._kept[text]

    def _asked(self, text: str, seconds: float) -> bytes:
        line = self._open()
        try:
            line.send_bytes(text.encode())
            if not line.poll(seconds):
                raise TimeoutError
            said = line.recv_bytes()
        except (OSError, EOFError) as error:  # a timeout is one of them
            self._end()
            why = "took too long" if isinstance(error, TimeoutError) else "died"
            raise DeviceError(f"the process that paints at once {why}; ask again") from None
        if said.startswith(REFUSED):
            raise RecipeError(said[1:].decode())
        return said[1:]

    def _open(self) -> Connection:
        if self._line is not None and self._process is not None and self._process.is_alive():
            return self._line
        self._end()
        self._line, theirs = self._context.Pipe()
        self._process = self._context.Process(
            target=self.target,
            args=(theirs, self.home, self.device),
            name="phosphene-live",
            daemon=True,
        )
        self._process.start()
        theirs.close()  # so that its end is heard here
        return self._line

    def _end(self) -> None:
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            self._process.terminate()
            self._process.join(5)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
        self._line = self._process = None
