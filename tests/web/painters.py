"""Somebody who does what workers do, in a thread, at once and without a model."""

import hashlib
import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image
from starlette.testclient import TestClient

from phosphene.core.errors import PhospheneError
from phosphene.core.image_files import RECIPE_KEY
from phosphene.studio.entry import described, reencoded
from phosphene.studio.job import Job
from phosphene.studio.job_events import tell
from phosphene.studio.leases import Held, LeaseLost, Pace
from phosphene.studio.manifest import Manifest
from phosphene.studio.recipe import Imagine
from phosphene.studio.studio import Studio
from phosphene.studio.tables import made
from tests.studio.studios import PLATFORM
from tests.web.served import studio_of

SIDE = 32
STEPS = 4


def colour_of(recipe: Imagine, seed: int) -> tuple[int, int, int]:
    """The colour of a picture: another one for other words or another seed."""
    digest = hashlib.sha256(f"{recipe.prompt}/{seed}".encode()).digest()
    return digest[0], digest[1], digest[2]


def painted_by(recipe: Imagine, number: int) -> bytes:
    """A picture of one colour, with the manifest that a worker writes."""
    seed = recipe.all_seeds()[number]
    manifest = Manifest(
        models={},
        inputs={},
        platform=PLATFORM,
        phosphene="0.1.0",
        recipe=recipe,
        seed=seed,
        index=number,
        iterations=STEPS,
        pixel_sha256="dd",
    )
    size = (recipe.width or SIDE, recipe.height or SIDE)
    buffer = io.BytesIO()
    Image.new("RGB", size, colour_of(recipe, seed)).save(buffer, "PNG")
    return reencoded(buffer.getvalue(), {RECIPE_KEY: manifest.model_dump_json()})


class Painter:
    """Carries out `imagine`; other kinds fail, as "fail" does, and "wait" is not ended.

    Args:
        seconds: That a step takes.
    """

    def __init__(self, studio: Studio, seconds: float = 0.0) -> None:
        self.studio, self.seconds = studio, seconds
        self.recipes: list[Imagine] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    @contextmanager
    def at_work(self) -> Iterator["Painter"]:
        self._thread.start()
        try:
            yield self
        finally:
            self._over.set()
            self._thread.join()

    def _work(self) -> None:
        while not self._over.is_set():
            try:
                claimed = self.studio.leases.claim("elsewhere:1:a")
                if claimed is None:
                    time.sleep(0.005)
                    continue
                self._carry_out(*claimed)
            except PhospheneError:
                continue

    def _carry_out(self, job: Job, held: Held) -> None:
        recipe = job.parsed()
        if not isinstance(recipe, Imagine):
            self.studio.leases.fail(held, NotImplementedError("of another kind"))
            return
        self.recipes.append(recipe)
        small = painted_by(recipe, 0)
        if "fail" in recipe.prompt:
            self.studio.leases.fail(held, ZeroDivisionError("of the model"))
            return
        for step in range(1, STEPS + 1):
            with self.studio.database.writing() as connection:
                wish = self.studio.leases.hold(connection, held, step=step, total=STEPS)
                tell(connection, job.id, "step", {"step": step, "total": STEPS}, 0.0, small)
            while "wait" in recipe.prompt and wish is None and not self._over.is_set():
                time.sleep(0.01)
                wish = self.studio.leases.extend(held)
            if wish is not None:
                self.studio.leases.give_back(held, wish)
                return
            time.sleep(self.seconds)
        for number in range(len(recipe.all_seeds())):
            self._keep(held, painted_by(recipe, number), number)
        try:
            self.studio.leases.finish(held, Pace(0.1, 0.01))
        except LeaseLost:
            return

    def _keep(self, held: Held, png: bytes, number: int) -> None:
        columns, job = described(png, "job"), held.job
        self.studio.store.put(png)
        with self.studio.database.writing() as connection:
            self.studio.leases.hold(connection, held)
            self.studio.gallery.insert(connection, columns)
            connection.execute(made.insert().values(job=job, number=number, artifact=columns["id"]))
            tell(connection, job, "picture", {"artifact": columns["id"], "number": number}, 0.0)


@contextmanager
def painting(client: TestClient, seconds: float = 0.0) -> Iterator[Painter]:
    """Somebody paints for a server of a test."""
    with Painter(studio_of(client), seconds).at_work() as painter:
        yield painter
