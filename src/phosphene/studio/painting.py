"""One picture in progress. Knows no files: it paints, it can be saved and go on another day."""

from collections.abc import Iterator, Mapping
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from phosphene.core.images import Images
from phosphene.core.protocols import Step
from phosphene.core.rng import Rng
from phosphene.explore.breed import Genes
from phosphene.explore.genes_text import genes_text
from phosphene.families.diffusion.guided import GuidedSampling
from phosphene.prompting.optimise import Optimisation
from phosphene.prompting.steering import Steered
from phosphene.studio.artifact import Artifact, artifact_of
from phosphene.studio.camera import move
from phosphene.studio.craft import Painted
from phosphene.studio.guiding import sampling_of
from phosphene.studio.methods import Guide
from phosphene.studio.stage import Stage
from phosphene.studio.start import start
from phosphene.zoo import Zoo


class Painting:
    """The optimisation of one picture of a recipe.

    Everything random is keyed by the picture's own seed, so the i-th of many pictures is the sole
    picture of seed + i, and looking at it, saving frames or stopping does not change it.

    Args:
        number: Which picture of the recipe, from 0.
    """

    def __init__(self, stage: Stage, zoo: Zoo, number: int) -> None:
        self.stage = stage = stage.of_picture(number)
        self.number = number
        self.optimisation = _begin(stage, zoo, Rng((stage.seed,), "/imagine"))
        self._whole = self._snapshot()

    @property
    def seed(self) -> int:
        """Of this picture."""
        return self.stage.seed

    @property
    def iterations(self) -> int:
        """Whole iterations made."""
        return self._whole[0]

    def steps(self, stop: int | None = None) -> Iterator[Step]:
        """Paint on, to the end or until so many iterations are made.

        Yields:
            A step an iteration, with the picture before it.
        Raises:
            Diverged: the loss stopped being finite; the picture before that is kept.
        """
        stop = self.optimisation.total if stop is None else stop
        while self.optimisation.index < stop:
            self._move_camera()
            step = self.optimisation.step()
            self._whole = self._snapshot()
            scalars = {**step.scalars, "picture": float(self.number)}
            yield Step(*self._place(step.index), cache(partial(self._shown, step)), scalars)

    def _shown(self, step: Step) -> Images:
        assert step.images is not None
        return self.stage.crop(step.images)

    def finished(self) -> Painted:
        """The picture after the last whole iteration, as the last step."""
        artifact = self.artifact()
        scalars = {"picture": float(self.number)}
        place = self._place(self.optimisation.total)
        return Painted(*place, artifact.image[None], scalars, artifact=artifact)

    def artifact(self) -> Artifact:
        """The picture after the last whole iteration, even if one was interrupted since."""
        iterations, latent = self._whole
        self.optimisation.replace(self.optimisation.latent.with_data(latent))
        return self._artifact(self.stage.crop(self.optimisation.paint()), iterations)

    def frame(self, step: Step) -> Artifact:
        """The picture of the step made last, which is the one before it."""
        assert step.images is not None
        return self._artifact(step.images, self.iterations - 1, frame=True)

    def state(self) -> dict[str, Any]:
        """Everything that the next iteration depends on; to be asked between steps."""
        return {"number": self.number, "optimisation": self.optimisation.state()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from `state()`, bit for bit."""
        self.optimisation.load_state(state["optimisation"])
        self._whole = self._snapshot()

    def _artifact(self, images: Images, iterations: int, frame: bool = False) -> Artifact:
        return artifact_of(
            images[0].cpu(),
            self.stage.recipe,
            self.number,
            iterations,
            self.stage.surroundings,
            frame,
            genes="" if frame else self._genes(),
            prompt=self.stage.wordings[self.number].prompt,
        )

    def _genes(self) -> str:
        """What a generator was steered to: breeding and editing go on from it."""
        if not isinstance(self.stage.decoder, Steered):
            return ""
        latent, condition = self.stage.decoder.unpack(self.optimisation.latent)
        return genes_text(Genes(latent, None if condition is None else condition.classes))

    def _place(self, index: int) -> tuple[int, int]:
        """Index among all steps of the recipe, and their number."""
        steps = self.optimisation.total + 1
        return self.number * steps + index, len(self.stage.wordings) * steps

    def _move_camera(self) -> None:
        """In a zoom, look from elsewhere every few iterations and go on from what is seen."""
        zoom, index = self.stage.recipe.zoom, self.optimisation.index
        if zoom is None or index == 0 or index % zoom.every:
            return
        with torch.no_grad():
            moved = move(self.optimisation.paint(), zoom)
            self.optimisation.replace(self.stage.canvas.encode(moved))

    def _snapshot(self) -> tuple[int, Tensor]:
        return self.optimisation.index, self.optimisation.latent.data.detach().clone()


def _begin(stage: Stage, zoo: Zoo, rng: Rng) -> Optimisation | GuidedSampling:
    """The search for a picture, at its beginning."""
    if isinstance(stage.decoder, Guide):
        return sampling_of(stage, rng)
    return Optimisation(
        stage.decoder,
        start(stage, zoo, rng.fork("start")),
        stage.objective(rng.fork("objective")),
        stage.settings,
    )
