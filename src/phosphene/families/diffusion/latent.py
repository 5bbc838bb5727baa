"""Latent diffusion: words become a picture in an autoencoder's codes (an `Illustrator`).

Source: Rombach et al. 2022, "High-Resolution Image Synthesis with Latent Diffusion Models". Here
the codes are those of a VQGAN before its codebook, and the path is a straight one: see `flow`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.core.errors import CheckpointError, RecipeError
from phosphene.core.images import Images
from phosphene.core.protocols import Autoencoder, Commission, Habits, Step
from phosphene.core.rng import Rng
from phosphene.core.streams import by_rows, on_threads
from phosphene.core.weights import Shelf, load_into
from phosphene.families.diffusion.flow import (
    Flow,
    LatentDiffusionConfig,
    Reader,
    Words,
    read,
)
from phosphene.families.diffusion.sampling import SAMPLERS, Sampling, Term, guided, sample
from phosphene.nn.guidance import terms_of
from phosphene.nn.sketching import Region, Sketches, sketches_of

SMALL = 512  # operations of a transformer up to this width gain nothing from a second thread
STEPS, GUIDANCE_SCALE, SAMPLER = 12, 3.0, "euler"
SHAPES_KEPT = 2  # the exponent of strength by which a start's shapes give way; chosen by looking


class Sketch(NamedTuple):
    """Normalised codes that are painted after, and where of several things each alone is named."""

    codes: Float[Tensor, "1 d h w"] | None = None
    regions: tuple[Region, ...] = ()


class LatentDiffusion(nn.Module):
    """A trained flow with its autoencoder and its text network: words to pictures.

    Args:
        sketches: Draws what the flow paints after, if it does.
    """

    def __init__(
        self,
        flow: Flow,
        autoencoder: Autoencoder,
        text: Reader,
        sketches: Sketches | None = None,
    ) -> None:
        super().__init__()
        self.flow = flow
        self.autoencoder = autoencoder
        self.text = text
        self.sketches = sketches
        side = flow.config.resolution
        self.habits = Habits(
            height=side, width=side, steps=STEPS, guidance_scale=GUIDANCE_SCALE, sampler=SAMPLER
        )

    @property
    def small(self) -> bool:
        """Whether its operations are too small to be split among the threads of a CPU."""
        return self.flow.config.width <= SMALL and self.flow.mean.device.type == "cpu"

    @property
    def samplers(self) -> tuple[str, ...]:
        """Names of the solvers it knows."""
        return tuple(SAMPLERS)

    def check(self, commission: Commission) -> None:
        """See that a picture can be painted.

        Raises:
            RecipeError: another size than its own, or an unknown sampler.
        """
        side = self.flow.config.resolution
        if (commission.height, commission.width) != (side, side):
            raise RecipeError(
                f"size {commission.width} x {commission.height}: this model paints {side} x {side} "
                "px; leave the size out, or take --method vqgan-clip, which paints any"
            )
        if commission.sampler not in SAMPLERS:
            known = ", ".join(SAMPLERS)
            raise RecipeError(f"sampler {commission.sampler!r} is unknown here; it can be {known}")

    def illustrate(self, commission: Commission, rng: Rng) -> Iterator[Step]:
        """Paint one picture; see `core.protocols.Illustrator`."""
        steps = self._steps(commission, rng)
        return on_threads(steps, 1) if self.small else steps

    def _steps(self, commission: Commission, rng: Rng) -> Iterator[Step]:
        self.check(commission)
        sampling = self._sampling(commission)
        terms, unsaid = self._read(commission)
        for moment in sample(self.flow, terms, unsaid, rng, sampling):
            if moment.index < moment.total - 1:
                # two in three seconds would go into pictures at which nobody looks
                yield Step(moment.index, moment.total, cache(partial(self.decode, moment.clean)))
                continue
            images = self.decode(moment.clean)
            yield Step(moment.index, moment.total, _kept(images, commission))

    def told(self, commission: Commission) -> "Listener":
        """The denoiser that leads to what is asked for."""
        self.check(commission)
        terms, unsaid = self._read(commission)
        return Listener(self, terms, unsaid, commission.guidance_scale)

    def read(self, prompt: str) -> Words:
        """What the network is told of a prompt."""
        return read(self.text, [prompt], self.flow.config.text_length)

    def _read(self, commission: Commission) -> tuple[list[Term], Words]:
        """What it is told, and what it is told of nothing: both with the same sketch."""
        sketch, parts = self.sketch(commission)
        told = [Term(self.read(text), weight) for text, weight in terms_of(commission.spans)]
        if len(told) == 1:  # weights are of words of the whole
            told += [Term(self.read(region.words), share=region.share) for region in parts]
        terms = [term._replace(words=term.words._replace(sketch=sketch)) for term in told]
        return terms, self.read(commission.negative_prompt)._replace(sketch=sketch)

    def sketch(self, commission: Commission) -> Sketch:
        """What it paints after, if it does.

        That is a drawing of what the words name. A picture to start from lends it its shapes: the
        less, the stronger it is painted over, by codes between both.
        """
        if self.sketches is None:
            return Sketch()
        start = None if commission.init is None else self.encode(commission.init)
        if not commission.prompt.strip():
            return Sketch(start)
        drawing = self.sketches.of(commission, commission.drawing)
        codes, size = self.encode(drawing.images), self.flow.config.latent_size
        share = 1.0
        if start is not None and commission.mask is None:
            share = commission.strength**SHAPES_KEPT
            codes = torch.lerp(start, codes, share)
        return Sketch(codes, tuple(region.pooled(size, share) for region in drawing.regions))

    @torch.no_grad()
    def encode(self, images: Images) -> Float[Tensor, "b d rows columns"]:
        """Pictures to normalised codes."""
        return self.flow.normalised(self.autoencoder.encode(images).data)

    def paint(self, x: Float[Tensor, "b d rows columns"]) -> Images:
        """Normalised codes to pictures in about [-1, 1], not clipped; differentiable."""
        return self.autoencoder.decode(self.flow.codes(x))

    @torch.no_grad()
    def decode(self, x: Float[Tensor, "b d rows columns"]) -> Images:
        """Normalised codes to pictures, clipped to [-1, 1]."""
        return self.paint(x).clamp(-1, 1)

    def _sampling(self, commission: Commission) -> Sampling:
        sampling = Sampling(
            steps=commission.steps,
            guidance_scale=commission.guidance_scale,
            sampler=commission.sampler,
            strength=commission.strength,
            halves=self.small,
        )
        if commission.init is None:
            return sampling
        sampling = replace(sampling, init=self.encode(commission.init))
        if commission.mask is None:
            return sampling
        # a code that is touched at all is painted anew; what is kept of it is laid over the picture
        size = self.flow.config.latent_size
        return replace(sampling, mask=(F.adaptive_max_pool2d(commission.mask, size) > 0).float())


class Listener:
    """A `Denoiser`: the model, told words and how closely to keep to them."""

    def __init__(
        self, model: LatentDiffusion, terms: Sequence[Term], unsaid: Words, scale: float
    ) -> None:
        self.model, self.terms, self.unsaid, self.scale = model, terms, unsaid, scale
        c = model.flow.config
        self.shape = (c.latent_channels, c.latent_size, c.latent_size)

    @torch.no_grad()
    def denoise(
        self, x: Float[Tensor, "b d rows columns"], sigma: float
    ) -> Float[Tensor, "b d rows columns"]:
        """Expect normalised codes."""
        model, terms = self.model, self.terms
        velocity = guided(model.flow, x, sigma, terms, self.unsaid, self.scale, halves=model.small)
        return x - sigma * velocity

    def encode(self, images: Images) -> Float[Tensor, "b d rows columns"]:
        """Pictures to normalised codes."""
        return self.model.encode(images)

    def decode(self, x0: Float[Tensor, "b d rows columns"]) -> Images:
        """Normalised codes to pictures; differentiable."""
        return by_rows(self.model.paint, x0, 1) if self.model.small else self.model.paint(x0)


def _kept(images: Images, commission: Commission) -> Images:
    """The painted picture where there is a mask, the one it started from elsewhere."""
    if commission.mask is None or commission.init is None:
        return images
    return torch.lerp(commission.init.to(images), images, commission.mask.to(images))


def build(
    tensors: Mapping[str, Tensor], config: Mapping[str, Any], shelf: Shelf
) -> LatentDiffusion:
    """Build a latent diffusion model for the zoo, ready to paint.

    Raises:
        CheckpointError: not its config, tensors of another one, or parts that do not fit.
    """
    shape = {k: v for k, v in config.items() if k not in ("family", "arch", "size")}
    flow = Flow(LatentDiffusionConfig.from_dict(shape))
    load_into(flow, tensors, "the weight file")
    autoencoder, text = shelf.model(flow.config.autoencoder), shelf.model(flow.config.text)
    if not isinstance(autoencoder, Autoencoder) or not isinstance(text, Reader):
        raise CheckpointError(
            f"{flow.config.autoencoder!r} and {flow.config.text!r} are no autoencoder and text "
            "network with sentences, which latent diffusion is made of"
        )
    sketches = sketches_of(
        flow.config.sketches,
        shelf,
        autoencoder,
        lambda texts: text.tokens(texts)[0],
        flow.config.resolution,
    )
    return LatentDiffusion(flow.requires_grad_(False).eval().pack(), autoencoder, text, sketches)
