"""What a model must offer to take part: narrow protocols instead of capability flags.

`isinstance(model, Decoder)` decides what a surface offers. Long computations are iterators of
`Step`s: progress, preview, cancel (close the iterator) and streaming need no callback.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn

from phosphene.core.images import Images
from phosphene.core.latent import Condition, Latent, LatentSpec
from phosphene.core.rng import Rng


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One moment of a long computation.

    Args:
        index: From 0; the last one is `total - 1`.
        view: The picture as it is now, where there is one; or what paints it, where that costs
            something. Handing it on paints nothing.
        scalars: Losses and the like, for people to watch.
        notes: What whoever watches should be told once, a line each: surfaces show them.
    """

    index: int
    total: int
    view: Images | Callable[[], Images] | None = None
    scalars: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def images(self) -> Images | None:
        """The picture as it is now, painted if need be."""
        return self.view() if callable(self.view) else self.view


Objective = Callable[[Images], Float[Tensor, " b"]]  # lower is better


@runtime_checkable
class Decoder(Protocol):
    """A latent becomes images in one differentiable pass."""

    spec: LatentSpec

    def decode(self, latent: Latent, condition: Condition | None = None) -> Images: ...


@runtime_checkable
class Confined(Decoder, Protocol):
    """A decoder that knows where its latents belong."""

    def confine(self, latent: Latent) -> Latent:
        """Bring latents back to the region that the decoder was trained on."""
        ...


@runtime_checkable
class Styled(Decoder, Protocol):
    """A decoder whose z is first mapped to styles, one for each layer (StyleGAN).

    `decode` takes z, w and w+; truncation, mixing and directions happen in w and w+.
    """

    @property
    def w_avg(self) -> Float[Tensor, " w_dim"]: ...

    @property
    def num_ws(self) -> int: ...

    def map(self, z: Latent, condition: Condition | None = None) -> Latent:
        """Map z to w+, b num_ws w_dim."""
        ...


@runtime_checkable
class Autoencoder(Confined, Protocol):
    """A decoder with its inverse and a codebook; it confines codes to where entries are."""

    def encode(self, images: Images) -> Latent: ...

    def snap(self, codes: Latent) -> Latent:
        """Move codes to their nearest codebook entries, with straight-through gradients."""
        ...

    def tokens(self, codes: Latent) -> Latent:
        """Indices of the nearest codebook entries."""
        ...


@runtime_checkable
class Perceptor(Protocol):
    """Images and texts in one space; cosine tells how well they agree (CLIP and friends)."""

    input_size: int

    def encode_image(self, images: Images) -> Float[Tensor, "b d"]: ...

    def encode_text(self, texts: Sequence[str]) -> Float[Tensor, "b d"]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """How the next token is chosen by a model that draws tokens.

    Args:
        temperature: Logits are divided by it; 0 takes the most likely token.
        top_k: Only so many of the most likely tokens can come; 0 is all.
        top_p: Only the fewest most likely tokens that together have this probability; 1 is all.
        num_candidates: Pictures that are drawn, of which the best one is shown.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    num_candidates: int = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Commission:
    """One picture that a text-to-image model is asked for.

    Args:
        spans: The words, piece by piece, each with its weight; 1 is plain.
        negative_prompt: What the picture is led away from.
        height, width: px.
        steps: Of denoising; what does not denoise ignores them.
        guidance_scale: s of v = u + s (c - u); 1 is off.
        sampler: One of the model's `samplers`; empty where it has none.
        init: A picture to start from, 1 c h w, of the size asked for.
        strength: Of a start from a picture, 0 to 1: the share of the way from noise that is gone
            again, or for tokens the share of rows, from below, that is drawn again. 1 forgets the
            picture.
        mask: Where the picture is painted anew, 1 1 h w in [0, 1]; elsewhere `init` is kept.
        choice: Of tokens; None where there are none.
        drawing: Whose seed chooses among drawings of what the words name, by a model that paints
            after one; None takes what is nearest to the words.
        judge: Says which of several candidates is the best: the one with the lowest value.
    """

    spans: tuple[tuple[str, float], ...]
    negative_prompt: str = ""
    height: int
    width: int
    steps: int = 1
    guidance_scale: float
    sampler: str = ""
    init: Images | None = None
    strength: float = 1.0
    mask: Float[Tensor, "1 1 h w"] | None = None
    choice: Choice | None = None
    drawing: Rng | None = None
    judge: Objective | None = None

    @property
    def prompt(self) -> str:
        """The words without their weights."""
        return "".join(text for text, _ in self.spans)


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What a text-to-image model does if it is not told otherwise; chosen by looking.

    None says that it has no such thing: one that denoises has no choice of tokens, one that draws
    tokens no steps and no sampler.
    """

    height: int
    width: int
    guidance_scale: float
    steps: int | None = None
    sampler: str | None = None
    choice: Choice | None = None


@runtime_checkable
class Illustrator(Protocol):
    """Words become a picture step by step: denoised, or drawn token by token."""

    habits: Habits

    @property
    def samplers(self) -> tuple[str, ...]: ...

    def check(self, commission: Commission) -> None:
        """See that it can be done, before anything is painted.

        Raises:
            RecipeError: a size, sampler or number that it cannot do; says what it can.
            Unsupported: it cannot do such a thing at all (a mask, weights of words).
        """
        ...

    def illustrate(self, commission: Commission, rng: Rng) -> Iterator[Step]:
        """Paint one picture, which depends on the commission and the seed alone.

        Args:
            rng: Of one seed.
        Yields:
            A step a denoising step (or a row of tokens), with what is expected of the picture by
            then; the last one has the picture, 1 c h w, clipped to [-1, 1].
        """
        ...


@runtime_checkable
class Denoiser(Protocol):
    """What a noised picture is expected to be, told some words beforehand.

    On the straight path x = (1 - sigma) x0 + sigma e from pictures, or their codes, to normal
    noise, whichever schedule the model was trained with.
    """

    shape: tuple[int, ...]  # of x0, without the batch axis

    def denoise(self, x: Float[Tensor, "b ..."], sigma: float) -> Float[Tensor, "b ..."]:
        """Expect x0 at x, without gradients."""
        ...

    def encode(self, images: Images) -> Float[Tensor, "b ..."]: ...

    def decode(self, x0: Float[Tensor, "b ..."]) -> Images:
        """Pictures in about [-1, 1], not clipped; differentiable."""
        ...


@runtime_checkable
class Told(Protocol):
    """An illustrator whose denoiser can be had, to be steered by more than words."""

    def told(self, commission: Commission) -> Denoiser: ...


@runtime_checkable
class Learner(Protocol):
    """What the training loop needs to know of a model: nothing but this.

    `step` makes one optimiser step on a batch and returns what to log. Randomness comes only from
    `rng`, which the loop keys by the step's index, so that a resumed run continues bit for bit.
    One that works through a batch in parts, one after the other, has `groups: int` besides.
    """

    def step(
        self, batch: Mapping[str, Any], index: int, total: int, rng: Rng
    ) -> dict[str, float]: ...

    def preview(self, batch: Mapping[str, Any], rng: Rng) -> Images: ...

    def state(self) -> dict[str, Any]: ...

    def load_state(self, state: Mapping[str, Any]) -> None: ...

    def export(self) -> tuple[nn.Module, dict[str, Any]]:
        """The network to ship, and the config that rebuilds it."""
        ...


@runtime_checkable
class Generator(Protocol):
    """Draws latents and renders them; the widest notion of a generator."""

    spec: LatentSpec

    def draw(self, rng: Rng, condition: Condition | None = None) -> Latent: ...

    def render(
        self, latent: Latent, rng: Rng, condition: Condition | None = None
    ) -> Iterator[Step]: ...
