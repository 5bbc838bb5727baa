"""The recipe `Incantation`: do some words, added to prompts, change the pictures?"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from phosphene.core.errors import RecipeError
from phosphene.prompting.alternatives import has_alternatives
from phosphene.prompting.prompt import SCENE_MARK, clean, parse, with_phrase
from phosphene.studio.recipes.base import Painting
from phosphene.studio.recipes.fields import Location, Prompt, SeedList, seed_list
from phosphene.studio.recipes.imagine import Imagine

MAX_PICTURES = 1024
MAX_PROMPTS = 256
MAX_FILE = 1_000_000  # bytes


def _without_prompt(value: Any) -> Any:
    """Let a file leave out the prompt that each picture has of its own."""
    if isinstance(value, Mapping):
        return {"kind": "imagine", "prompt": "...", **value}
    return value


class Incantation(Painting):
    """Each prompt is painted with and without some words, under the same seeds, and compared."""

    kind: Literal["incantation"] = "incantation"
    words: Prompt = Field(description="added to each prompt as a phrase: `prompt | words`")
    prompts: tuple[Prompt, ...] = Field(
        min_length=2, max_length=MAX_PROMPTS, description="what is painted; each is one pair"
    )
    seeds: SeedList = Field(
        "0-3", description="of each prompt's pictures, as 0-3 or 7,9; at least two"
    )
    of: Annotated[Imagine, BeforeValidator(_without_prompt)] = Field(
        Imagine.model_validate({"prompt": "..."}),
        description="the recipe of all pictures, but for prompt and seed",
    )
    judge: Location | None = Field(
        None,
        description="perceptor that says how well pictures fit the words; none = the first of "
        "those that painted",
    )
    features: Location = Field(
        "efficientnet-lite0", description="pretrained features that tell how different pictures are"
    )

    @model_validator(mode="after")
    def _is_an_experiment(self) -> Self:
        if self.of.count != 1 or self.of.alternatives == "all":
            raise ValueError("of: should ask for one picture; name more seeds instead")
        if len(set(self.all_seeds())) < max(2, len(self.all_seeds())):
            raise ValueError(
                "seeds: should be at least two, none twice: they show what chance does"
            )
        if len(self.prompts) * len(self.all_seeds()) * 2 > MAX_PICTURES:
            number = len(self.prompts) * len(self.all_seeds()) * 2
            raise ValueError(f"prompts: {number} pictures; use up to {MAX_PICTURES}")
        if self.of.alternatives != "none" and has_alternatives(self.words):
            raise ValueError("words: should leave nothing open, as {a|b} does; ask for each")
        if SCENE_MARK in self.words:
            raise ValueError("words: should be phrases, without the '^' between scenes")
        if clean(self.words).strip("| ") and any(p.image for p in parse(self.words).scenes[0]):
            raise ValueError("words: should be words, not a picture")
        return self

    @property
    def title(self) -> str:
        """The words."""
        return clean(self.words)[:40] or "nothing"

    def all_seeds(self) -> tuple[int, ...]:
        """Of each prompt's pictures."""
        return seed_list(self.seeds)

    def labels(self) -> list[str]:
        """That it is an experiment; its first seed tells the sheet from others."""
        return [f"incantation-{self.all_seeds()[0]}"]

    @property
    def leaves_files(self) -> bool:
        """The numbers."""
        return True

    def cell(self, prompt: str, seed: int, *, spoken: bool) -> Imagine:
        """The recipe of one picture, with the words spoken or not."""
        words = with_phrase(prompt, self.words) if spoken else prompt
        return self.of.model_copy(update={"prompt": words, "seed": seed})


def read_prompts(path: Path) -> tuple[str, ...]:
    """Read a file of prompts, one a line; empty lines are left out.

    Raises:
        RecipeError: it cannot be read, is no text, or is too large.
    """
    try:
        if path.stat().st_size > MAX_FILE:
            raise RecipeError(f"{str(path)!r} is larger than {MAX_FILE:,} bytes; not prompts")
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise RecipeError(f"{str(path)!r} is not text; give a file with a prompt a line") from None
    except OSError as error:
        raise RecipeError(
            f"cannot read the prompts {str(path)!r}: {error.strerror}; give a file with a prompt a "
            "line as --prompts"
        ) from None
    return tuple(line.strip() for line in lines if line.strip())
