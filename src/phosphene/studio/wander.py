"""What `phosphene.walk`, `mix` and `sheet` do: wandering in latent spaces, from Python."""

from collections.abc import Mapping, Sequence
from typing import Any

from phosphene.studio.picture import Picture, pictures_of
from phosphene.studio.recipes.sheet import sheet_fields
from phosphene.zoo import Zoo


def walk(
    model: str = "faces-dcgan",
    path: str | Mapping[str, Any] | None = None,
    *,
    seed: int | None = None,
    zoo: Zoo | None = None,
    device: str = "cpu",
    **fields: object,
) -> Picture:
    """Walk through a generator's latent space: a strip of frames.

        phosphene.walk("faces-dcgan", "rotary(7, 8)", video="gif").save("walk.png")

    writes walk.png and walk.gif.

    Args:
        path: What moves (docs/paths.md); None goes through four seeds and back.
        seed: Of what the path does not move; None draws one.
        fields: Any other field of the recipe `Walk`, for example `num_frames=90`.
    Raises:
        RecipeError: unknown field, a path that cannot be read, a class that the model lacks.
        PhospheneError: as for `run`.
    """
    asked = {"model": model, "path": path, "seed": seed}
    return pictures_of("walk", {**asked, **fields}, zoo, device)[0]


def mix(
    model: str,
    rows: str | Sequence[int] = "0-3",
    columns: str | Sequence[int] = "4-9",
    layers: str = "coarse",
    *,
    zoo: Zoo | None = None,
    device: str = "cpu",
    **fields: object,
) -> Picture:
    """Mix styles: a sheet of pictures with the styles of their rows, in some layers the columns'.

    Args:
        rows: Seeds, as `3,5,10-17` or one by one.
        columns: Likewise.
        layers: coarse, middle, fine, all, or numbers such as 0-3.
        fields: Any other field of the recipe `Mix`, for example `truncation_psi=0.7`.
    Raises:
        Unsupported: the model has no styles.
        RecipeError: unknown field, or layers or a class that the model lacks.
        PhospheneError: as for `run`.
    """
    asked = {"model": model, "rows": _seeds(rows), "columns": _seeds(columns), "layers": layers}
    return pictures_of("mix", {**asked, **fields}, zoo, device)[0]


def sheet(
    *vary: str,
    prompt: str | None = None,
    model: str | None = None,
    zoo: Zoo | None = None,
    device: str = "cpu",
    **fields: object,
) -> Picture:
    """Lay out what one or two fields of a recipe change, as a table with labels.

        phosphene.sheet("psi=0:1:6", "seed=0-7", model="runs/faces.safetensors")
        phosphene.sheet("style=flat,neon", "prompt=fox,owl", seed=7)

    Args:
        vary: What changes across, then what changes down, see the recipe `Sheet`.
        prompt: Words: the pictures are then those of `imagine`, else of `sample`.
        fields: Any other field of that recipe, for example `seed=7`.
    Raises:
        RecipeError: an unknown field, or a value that it does not take.
        PhospheneError: as for `run`.
    """
    asked = {"prompt": prompt, "model": model, **fields}
    return pictures_of("sheet", sheet_fields(vary, asked), zoo, device)[0]


def _seeds(given: str | Sequence[int]) -> str:
    return given if isinstance(given, str) else ",".join(map(str, given))
