"""The recipe `Imagine`: words become pictures."""

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from phosphene.prompting.alternatives import num_combinations
from phosphene.studio.recipes.base import Painting, Plain
from phosphene.studio.recipes.curves import Curve, within
from phosphene.studio.recipes.fields import (
    Every,
    Location,
    Names,
    Prompt,
    Seed,
    Side,
    Weight,
    demand_room,
    drawn_seed,
)

Method = Literal["diffusion", "guided-diffusion", "tokens", "vqgan-clip", "gan-clip"]
Optimiser = Literal[
    "adam", "novograd", "pyramid", "adamw", "adagrad", "rmsprop", "radam", "adamax", "nadam", "sgd"
]
Alternatives = Literal["random", "all", "none"]
CutPolicy = Literal["random", "overview+inner", "whole"]
Start = Literal[
    "auto", "clouds", "codebook", "draft", "flow", "retrieval", "best-of", "image", "draw"
]
MAX_PICTURES = 64
OWN_MODELS: dict[str, str] = {  # of the methods
    "diffusion": "emoji-diffusion",
    "guided-diffusion": "emoji-diffusion",
    "tokens": "emoji-tokens",
    "vqgan-clip": "emoji-vqgan",
    "gan-clip": "emoji-biggan",
}
OF_DENOISERS = (
    *("negative_prompt", "guidance_scale", "sampler", "strength", "mask"),
    "drawing_seed",
)
OF_TOKENS = ("temperature", "top_k", "top_p", "num_candidates")  # besides some of the others
OF_STEERED_DENOISERS = ("push", "rounds", "look_every", "symmetry")
OF_OPTIMISERS = ("optimiser", "learning_rate", "repaint_every", "start", "drafter", "zoom")
OF_SEARCHES = (
    "perceptors",
    "init_weight",
    "image_prompts",
    "start",
    "drafter",
    "optimiser",
    "learning_rate",
    "num_cutouts",
    "cut_policy",
    "cut_power",
    "cut_overview",
    "cut_smallest",
    "cut_noise",
    "start_noise",
    "repaint_every",
    "tv_weight",
    "range_weight",
    "saturation_weight",
    "zoom",
    "story_every",
    *OF_STEERED_DENOISERS,
)


class Zoom(Plain):
    """A camera that moves: every few iterations the picture is transformed and painted on."""

    scale: float = Field(
        1.02, ge=0.5, le=2, description="the picture grows by this factor; above 1 flies into it"
    )
    shift_x: float = Field(0, ge=-4096, le=4096, description="px that the picture moves right")
    shift_y: float = Field(0, ge=-4096, le=4096, description="px that the picture moves down")
    angle: float = Field(0, ge=-360, le=360, description="degrees that it turns clockwise")
    every: Every = Field(10, description="iterations between two movements; each makes a frame")


class Imagine(Painting):
    """Words become pictures."""

    kind: Literal["imagine"] = "imagine"
    prompt: Prompt = Field(
        description="phrases between |, each `text`, `text:weight` or `text:weight:stop`; "
        "a phrase may name an image file; ^ separates the scenes of a story; {a|b} is one of the "
        "two, (word:1.3) counts more"
    )
    alternatives: Alternatives = Field(
        "random",
        description="of {a|b} in the prompt: random = each picture takes one by its seed, all = "
        "every combination is painted, none = braces are text",
    )
    emphasis: bool = Field(
        True, description="(word), [word] and (word:1.3) weigh words of a phrase; false = text"
    )
    method: Method | None = Field(
        None,
        description="how the picture is found; none = diffusion, or vqgan-clip where something is "
        "asked for that only a search has",
    )
    model: Location | None = Field(
        None, description="the model that paints: a name or a path; none = the method's own"
    )
    perceptors: Names = Field(
        ("emoji-clip",),
        min_length=1,
        max_length=8,
        description="who judges picture against words: each `name` or `name:weight`",
    )
    iterations: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="steps a picture, of the optimiser or of denoising; none = the model's default",
    )
    negative_prompt: str = Field(
        "", max_length=20_000, description="what diffusion or tokens lead the picture away from"
    )
    guidance_scale: float | None = Field(
        None,
        ge=0,
        le=100,
        description="how closely diffusion or tokens keep to the words: u + s (c - u), 1 = off; "
        "none = the model's default",
    )
    sampler: str | None = Field(
        None, max_length=40, description="how diffusion takes its steps; none = the model's default"
    )
    strength: float = Field(
        0.6,
        gt=0,
        le=1,
        description="of a start from init_image: how much of it diffusion paints over, or how many "
        "of its rows, from below, tokens draw anew; 1 = all",
    )
    mask: Location | None = Field(
        None,
        description="a picture that is white where diffusion or tokens paint init_image anew",
    )
    temperature: float | None = Field(
        None,
        ge=0,
        le=10,
        description="of tokens: below 1 likely ones come more often, 0 = the likeliest alone; "
        "none = the model's default",
    )
    top_k: int | None = Field(
        None,
        ge=0,
        le=1_000_000,
        description="tokens are drawn from so many of the likeliest, 0 = from all; none = the "
        "model's default",
    )
    top_p: float | None = Field(
        None,
        gt=0,
        le=1,
        description="tokens are drawn from the likeliest that together have this probability, "
        "1 = from all; none = the model's default",
    )
    num_candidates: int | None = Field(
        None,
        ge=1,
        le=64,
        description="pictures drawn of tokens, of which the perceptors take the best; none = the "
        "model's default",
    )
    width: Side | None = Field(None, description="px; none = the model's own")
    height: Side | None = Field(None, description="px; none = the model's own")
    seed: Seed | None = Field(
        None, description="fixes the picture; none = one is drawn and written down"
    )
    drawing_seed: Seed | None = Field(
        None,
        description="of models that paint after a plain drawing: whose drawing it is, so that "
        "other seeds keep its shapes; none = the picture's own",
    )
    count: int = Field(
        1, ge=1, le=MAX_PICTURES, description="pictures; the i-th is the sole picture of seed + i"
    )
    init_image: Location | None = Field(None, description="a picture to start from")
    init_weight: Weight = Field(0.0, description="pull back towards the picture started from")
    image_prompts: Names = Field(
        (), max_length=64, description="pictures to resemble: each `path` or `path:weight`"
    )
    start: Start = Field(
        "auto",
        description="where the search starts; auto = from init_image, else as the model does best: "
        "emoji-vqgan from a draft",
    )
    drafter: Location = Field(
        OWN_MODELS["diffusion"], description="the model that paints what start=draft goes on from"
    )
    optimiser: Optimiser | None = Field(
        None, description="which rule takes the steps; none = the model's default"
    )
    learning_rate: float | None = Field(
        None, gt=0, le=10, description="size of the steps; none = the model's default"
    )
    num_cutouts: int | None = Field(
        None, ge=1, le=256, description="cutouts judged a step; none = the model's default"
    )
    cut_policy: CutPolicy = Field("overview+inner", description="how cutouts are chosen")
    cut_power: float = Field(
        1.0, ge=0.05, le=20, description="above 1 prefers small cutouts, below 1 large ones"
    )
    cut_overview: Annotated[Curve, AfterValidator(within(0, 1))] = Field(
        "0.25",
        description="share of the cutouts that show the whole picture: a number, or keyframes "
        "of the run as `0:1, 20:0.25`, with straight lines between them",
    )
    cut_smallest: Annotated[Curve, AfterValidator(within(0.01, 1))] = Field(
        "0.4",
        description="least side of the other cutouts, as a share of the picture's, the same way",
    )
    cut_noise: float = Field(
        0.1, ge=0, le=2, description="largest sigma of noise on a cutout, at the end"
    )
    start_noise: float | None = Field(
        None,
        ge=0,
        le=4,
        description="the same at the start, from where it falls: much noise finds coarse shapes "
        "first; none = the model's default",
    )
    repaint_every: int | None = Field(
        None,
        ge=0,
        le=1_000_000,
        description="iterations between two passes through the model's own encoder, which takes "
        "out what no picture has; 0 = never, none = the model's default",
    )
    tv_weight: Weight = Field(0.0, description="penalty on roughness (total variation)")
    range_weight: Weight = Field(0.0, description="penalty on light and shadow beyond all paper")
    saturation_weight: float = Field(
        0.0, ge=-1000, le=1000, description="penalty on strong colours; below 0 asks for them"
    )
    push: float | None = Field(
        None,
        ge=0,
        le=10,
        description="how far perceptors move a guided diffusion each time; none = the default",
    )
    rounds: int | None = Field(
        None, ge=1, le=100, description="pushes a step of guided diffusion; none = the default"
    )
    look_every: Every | None = Field(
        None,
        description="steps of guided diffusion from one at which perceptors look to the next; "
        "those between push the same way; none = the default",
    )
    symmetry: Literal["none", "sides", "halves"] = Field(
        "none", description="guided diffusion: mirror the left half, or the upper one"
    )
    save_every: Every | None = Field(
        None, description="iterations between saved frames; none = no frames, or enough for a video"
    )
    video: Literal["mp4", "gif"] | None = Field(None, description="make a video of the frames")
    fps: int = Field(15, ge=1, le=60, description="frames a second of the video")
    zoom: Zoom | None = Field(None, description="move a camera through the picture")
    story_every: Every | None = Field(
        None, description="iterations a scene of a ^ story; none = an equal share of all"
    )

    @model_validator(mode="after")
    def _last_seed_exists(self) -> Self:
        demand_room(self.seed, self.count)
        return self

    @model_validator(mode="after")
    def _combinations_are_few(self) -> Self:
        number = self.num_combinations
        if number * self.count > MAX_PICTURES:
            each = f" for each of {self.count} seeds" if self.count > 1 else ""
            shown = number if number < 10**9 else "more than a billion"
            raise ValueError(
                f"alternatives: the prompt has {shown} combinations{each}; all of them would be "
                f"more than {MAX_PICTURES} pictures: use fewer, or alternatives=random"
            )
        return self

    @property
    def model_name(self) -> str:
        """The model that paints."""
        return self.model or OWN_MODELS[self.chosen_method]

    @property
    def chosen_method(self) -> Method:
        """How the picture is found: as said, else what the model and the fields are of."""
        return self.method_with(())

    def method_with(self, others: Iterable[str]) -> Method:
        """The same, if other fields were said, too."""
        if self.method is not None:
            return self.method
        said = {*others, *filter(self._says, (*OF_SEARCHES, "width", "height"))}
        if not said.isdisjoint(OF_STEERED_DENOISERS):
            return "guided-diffusion"
        if not said.isdisjoint((*OF_SEARCHES, "width", "height")) or "^" in self.prompt:
            return "vqgan-clip"
        if self.model in (None, OWN_MODELS["diffusion"]):
            return "diffusion"
        named: tuple[Method, ...] = ("tokens", "gan-clip")
        own = [method for method in named if OWN_MODELS[method] == self.model]
        return own[0] if own else "vqgan-clip"

    def _says(self, name: str) -> bool:
        """Whether it says anything of a field."""
        return bool(getattr(self, name) != type(self).model_fields[name].default)

    @property
    def num_combinations(self) -> int:
        """Pictures of each seed."""
        return num_combinations(self.prompt) if self.alternatives == "all" else 1

    @property
    def title(self) -> str:
        """The words."""
        return self.prompt

    def all_seeds(self) -> tuple[int, ...]:
        """The seed of each picture; all combinations of one seed stand together."""
        first, each = self.seed or 0, self.num_combinations
        return tuple(first + i // each for i in range(self.count * each))

    def labels(self) -> list[str]:
        """Their seeds; and where a seed has several pictures, which one of them."""
        seeds, each = self.all_seeds(), self.num_combinations
        if each == 1:
            return [str(seed) for seed in seeds]
        return [f"{seed}-{i % each + 1}" for i, seed in enumerate(seeds)]

    def with_seed(self) -> Self:
        """The recipe with a seed: its own, or one drawn now."""
        return self if self.seed is not None else self.model_copy(update={"seed": drawn_seed()})
