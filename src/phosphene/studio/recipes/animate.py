"""The recipe `Animate`: a picture, and from each one the next, seen by a camera that moves."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from phosphene.prompting.prompt import SCENE_MARK, clean
from phosphene.studio.recipes.base import Painting
from phosphene.studio.recipes.curves import (
    MAX_FRAMES,
    Curve,
    WordsAt,
    value_at,
    within,
    words,
    words_at,
)
from phosphene.studio.recipes.fields import demand_room
from phosphene.studio.recipes.imagine import Imagine, Zoom

# chosen by looking: below, a diffusion changes grounds too little, and its colours run away
STRENGTH, STRENGTH_OF_SEARCHES = "0.7", "0.4"
NOT_OF_FRAMES = {  # fields of a picture that a film has instead
    "video": "the film is the animation's own: say video",
    "save_every": "each frame is kept as it is finished: say keep_frames",
    "zoom": "that moves the camera while one picture is found: say zoom, angle, shift_x, shift_y",
}


def _with_words(values: Any) -> Any:
    """Let the words of frame 0 stand for the prompt of all, where there is no other."""
    if not isinstance(values, Mapping) or not isinstance(of := values.get("of", {}), Mapping):
        return values
    of = {"kind": "imagine", **of}
    prompts = values.get("prompts")
    if "prompt" not in of and prompts:
        try:
            table: dict[Any, Any] = {**words(prompts)} if isinstance(prompts, str) else {**prompts}
        except (TypeError, ValueError):
            table = {}  # its own field says what is wrong with it
        first = table.get(0, table.get("0"))
        of |= {} if first is None else {"prompt": first}
    return {**values, "of": of}


class Animate(Painting):
    """A film: frame 0 is a picture, and each other one goes on from the frame before it."""

    kind: Literal["animate"] = "animate"
    of: Imagine = Field(description="the recipe of frame 0, and of all frames but for their words")
    num_frames: int = Field(60, ge=1, le=MAX_FRAMES, description="pictures of the film")
    prompts: WordsAt = Field(
        default_factory=dict,
        description="words from a frame on, as `0: a fox; 30: an owl`; before the first, those of "
        "`of`",
    )
    zoom: Annotated[Curve, AfterValidator(within(0.5, 2))] = Field(
        "1.02",
        description="the picture grows by this factor from frame to frame: a number, or keyframes "
        "as `0:1, 30:1.05`, with straight lines between them",
    )
    angle: Annotated[Curve, AfterValidator(within(-360, 360))] = Field(
        "0", description="degrees that it turns clockwise, the same way"
    )
    shift_x: Annotated[Curve, AfterValidator(within(-4096, 4096))] = Field(
        "0", description="px that it moves right, the same way"
    )
    shift_y: Annotated[Curve, AfterValidator(within(-4096, 4096))] = Field(
        "0", description="px that it moves down, the same way"
    )
    strength: Annotated[Curve, AfterValidator(within(0, 1, above=True))] | None = Field(
        None,
        description="how much of the moved frame is painted over, the same way: 1 = all; of "
        f"vqgan-clip, the share of its iterations; none = {STRENGTH}, of vqgan-clip "
        f"{STRENGTH_OF_SEARCHES}",
    )
    video: Literal["mp4", "gif"] | None = Field("mp4", description="the film; none = a strip alone")
    fps: int = Field(12, ge=1, le=60, description="frames a second of the film")
    keep_frames: bool = Field(False, description="keep the frames as files")
    num_shown: int = Field(10, ge=1, le=64, description="frames on the strip that is painted")

    _first_words = model_validator(mode="before")(_with_words)

    @model_validator(mode="after")
    def _is_a_film(self) -> Self:
        if self.of.count != 1 or self.of.alternatives == "all":
            raise ValueError("of: should ask for one picture; each frame goes on from the last one")
        if self.of.chosen_method == "gan-clip":
            raise ValueError(
                "of.method: gan-clip cannot go on from a picture; take diffusion, "
                "guided-diffusion or vqgan-clip"
            )
        for name, instead in NOT_OF_FRAMES.items():
            if getattr(self.of, name) is not None:
                raise ValueError(f"of.{name}: should be left out; {instead}")
        for said in (self.of.prompt, *self.prompts.values()):
            if SCENE_MARK in said:
                raise ValueError(
                    "prompts: a story (^) is told by its frames: 0: one scene; 30: the next"
                )
        demand_room(self.of.seed, self.num_frames)
        return self

    @property
    def title(self) -> str:
        """What is shown first, and what comes of it."""
        shown = [self.prompt, *(self.prompts[at] for at in self.prompts if at > 0)]
        return f"{' to '.join(dict.fromkeys(clean(said)[:24].strip() for said in shown))} animation"

    @property
    def prompt(self) -> str:
        """Of frame 0."""
        return self.words_at(0)

    @property
    def leaves_files(self) -> bool:
        """The film, and the frames from which a run that was killed goes on."""
        return True

    def all_seeds(self) -> tuple[int, ...]:
        """Of each frame: seed, seed + 1, ..."""
        first = self.of.seed or 0
        return tuple(range(first, first + self.num_frames))

    def labels(self) -> list[str]:
        """There is one strip; the seed of its first frame tells it from others."""
        return [str(self.all_seeds()[0])]

    def with_seed(self) -> Self:
        """The recipe with a seed: its own, or one drawn now."""
        seeded = self.of.with_seed()
        return self if seeded is self.of else self.model_copy(update={"of": seeded})

    def words_at(self, frame: int) -> str:
        """The prompt of a frame."""
        return words_at(self.prompts, frame, self.of.prompt)

    def camera(self, frame: int) -> Zoom:
        """How the frame before moves to become the start of this one."""
        return Zoom(
            every=1,
            scale=value_at(self.zoom, frame),
            angle=value_at(self.angle, frame),
            shift_x=value_at(self.shift_x, frame),
            shift_y=value_at(self.shift_y, frame),
        )

    def _drawing_seed(self) -> int:
        """Of frame 0."""
        own = self.of.drawing_seed
        return self.all_seeds()[0] if own is None else own

    def picture(self, frame: int, prompt: str) -> Imagine:
        """The recipe of a frame; all but the first start from a picture that no file holds.

        Args:
            prompt: Its words, with nothing left open.
        """
        if frame == 0:
            return self.of.model_copy(update={"prompt": self.words_at(0)})
        searches = self.of.chosen_method == "vqgan-clip"
        usual = STRENGTH_OF_SEARCHES if searches else STRENGTH
        strength = value_at(self.strength or usual, frame)
        own: dict[str, Any] = {
            "prompt": prompt,
            "alternatives": "none",
            "seed": self.all_seeds()[frame],
            "init_image": None,
        }
        if searches:
            iterations = self.of.iterations
            assert iterations is not None  # the recipe is complete
            share = max(1, round(strength * iterations))
            own |= {"start": "image", "iterations": share, "story_every": None}
        else:
            # shapes stay from frame to frame
            own |= {"strength": strength, "drawing_seed": self._drawing_seed()}
        return self.of.model_copy(update=own)

    def until(self, frame: int) -> Self:
        """The recipe of the film that ends with a frame: all that this frame depends on."""
        said = {at: words for at, words in self.prompts.items() if at <= frame}
        alone = {"video": None, "keep_frames": False, "num_shown": 1}
        return self.model_copy(update={"num_frames": frame + 1, "prompts": said, **alone})
