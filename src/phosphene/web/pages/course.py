"""The course of a training for a page: numbers step by step, sheets, what is still to do."""

import shlex
from dataclasses import dataclass, field

from phosphene.studio.job import State
from phosphene.studio.job_events import JobEvent
from phosphene.studio.recipe import Train
from phosphene.web.pages.watch import Watch

PACE = ("kimg", "seconds_per_kimg")  # said in words
UNDRAWN = (*PACE, "rolled_back")
FIRST = ("g", "d", "loss")  # curves that people look at first
# how weights are put to use, by learner; the others are parts of models
COMMANDS = {
    "gan": "phosphene sample {}",
    "vqgan": "phosphene imagine 'fox in the snow' --method vqgan-clip --model {}",
    "diffusion": "phosphene imagine 'fox in the snow' --method diffusion --model {}",
}


@dataclass
class Course(Watch):
    """A watch that keeps what came: `series` has the steps and values of each number."""

    series: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    rolled_back: int | None = None

    def _take(self, event: JobEvent) -> None:
        if event.kind != "step":
            super()._take(event)
            return
        step, scalars = int(event.data["step"]), dict(event.data.get("scalars", {}))
        if "rolled_back" in scalars:  # no step, but the word that others did not count
            self.rolled_back = int(scalars["rolled_back"])
            self._forget(self.rolled_back + 1)
            return
        self._forget(step)  # taken up from a checkpoint, steps come again
        super()._take(event)
        for name, value in scalars.items():
            if name not in UNDRAWN:
                self.series.setdefault(name, []).append((step, float(value)))

    def _forget(self, step: int) -> None:
        """Drop what came at a step and after it."""
        for name, points in list(self.series.items()):
            while points and points[-1][0] >= step:
                points.pop()
            if not points:
                del self.series[name]
        while self.moments and self.moments[-1].step >= step:
            self.moments.pop()

    def curves(self) -> dict[str, list[tuple[int, float]]]:
        """The series that change, those first that people look at first."""
        place = {name: number for number, name in enumerate(FIRST)}
        moving = [name for name, points in self.series.items() if len({v for _, v in points}) > 1]
        return {n: self.series[n] for n in sorted(moving, key=lambda n: place.get(n, len(place)))}

    @property
    def recipe(self) -> Train | None:
        """What is carried out; None before the first look.

        Raises:
            RecipeError: another version of phosphene wrote it.
        """
        found = self.job.parsed() if self.job is not None else None
        return found if isinstance(found, Train) else None

    def seconds_left(self) -> float | None:
        """How long it will still take at the pace of this turn; None if it does not run."""
        recipe, pace = self.recipe, self.scalars.get("seconds_per_kimg")
        if (
            recipe is None
            or pace is None
            or self.job is None
            or self.job.state is not State.RUNNING
        ):
            return None
        kimg = recipe.steps * recipe.batch_size / 1000
        return max(0.0, kimg - self.scalars.get("kimg", 0.0)) * pace

    def weights(self) -> str:
        """Where the weights are, from where the studio was started; empty if they are not there."""
        if self.recipe is None or self.job is None or self.job.state is not State.DONE:
            return ""
        share = self.studio.store.share
        path = self.studio.store.run_of(self.id) / f"{self.recipe.name}.safetensors"
        return path.relative_to(share.parent).as_posix() if path.is_file() else ""

    def command(self) -> str:
        """What paints with the weights; empty if nothing does by itself."""
        weights = self.weights()
        recipe = self.recipe
        form = COMMANDS.get(recipe.learner, "") if recipe is not None and weights else ""
        return form.format(shlex.quote(weights))
