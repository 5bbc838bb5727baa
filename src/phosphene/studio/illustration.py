"""One picture, denoised or drawn by words. Knows no files.

It is made again from its seed, not kept half done. It offers what `painting.Painting` does, so
that both are recorded and replayed in one way.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from phosphene.core.images import Images
from phosphene.core.protocols import Step
from phosphene.core.rng import Rng
from phosphene.studio.artifact import Artifact, artifact_of
from phosphene.studio.craft import Painted
from phosphene.studio.easel import Easel
from phosphene.zoo import Zoo


class Illustration:
    """One picture of a recipe, step by step.

    Args:
        number: Which picture of the recipe, from 0.
    """

    def __init__(self, easel: Easel, _zoo: Zoo, number: int) -> None:
        self.easel, self.number = easel, number
        self.iterations = 0
        self._last: Step | None = None
        self._total = 0

    @property
    def seed(self) -> int:
        """Of this picture."""
        return self.easel.recipe.all_seeds()[self.number]

    def steps(self, stop: int | None = None) -> Iterator[Step]:
        """Paint from the beginning, to the end or until so many steps are made.

        Yields:
            A step a denoising step, or a row of tokens, with what the picture is by then.
        """
        rng = Rng((self.seed,), "/imagine")
        commission = self.easel.commissions[self.number]
        if stop == 0:
            return
        for step in self.easel.illustrator.illustrate(commission, rng):
            self.iterations, self._last, self._total = step.index + 1, step, step.total
            scalars = {**step.scalars, "picture": float(self.number)}
            yield Step(*self._place(step.index), step.view, scalars, step.notes)
            if self.iterations == stop:
                return

    def finished(self) -> Painted:
        """The picture, as the last step."""
        artifact = self.artifact()
        scalars = {"picture": float(self.number)}
        return Painted(*self._place(self._total), artifact.image[None], scalars, artifact=artifact)

    def artifact(self) -> Artifact:
        """The picture after the last step made."""
        assert self._last is not None
        images = self._last.images
        assert images is not None
        return self._artifact(images, self.iterations)

    def frame(self, step: Step) -> Artifact:
        """The picture of the step made last."""
        assert step.images is not None
        return self._artifact(step.images, self.iterations - 1, frame=True)

    def state(self) -> dict[str, Any]:
        """Which picture it is: it takes seconds, and is painted again from its seed."""
        return {"number": self.number}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from `state()`: begin this picture anew."""

    def _artifact(self, images: Images, iterations: int, frame: bool = False) -> Artifact:
        easel = self.easel
        return artifact_of(
            images[0].cpu(),
            easel.recipe,
            self.number,
            iterations,
            easel.surroundings,
            frame,
            prompt=easel.wordings[self.number].prompt,
        )

    def _place(self, index: int) -> tuple[int, int]:
        """Index among all steps of the recipe, and their number."""
        steps = self._total + 1
        return self.number * steps + index, len(self.easel.wordings) * steps
