"""What `phosphene.breed`, `edit` and `invert` do: genes from Python."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from phosphene.studio.picture import Picture, pictures_of
from phosphene.zoo import Zoo


def breed(
    parents: Sequence[int | str | Path] = (),
    model: str | None = None,
    *,
    children: int = 8,
    mutation: float = 0.2,
    seed: int | None = None,
    zoo: Zoo | None = None,
    device: str = "cpu",
    **fields: object,
) -> list[Picture]:
    """Let parents have children: a list of the children's pictures.

        ann, bob, *others = phosphene.breed([3, 8], "faces-dcgan", seed=1)

    Args:
        parents: Seeds, or paths of pictures that phosphene made.
        model: None is that of the pictures.
        seed: Of the first child.
        fields: Any other field of the recipe `Breed`; `layout="sheet"` or `"tree"` gives a list of
            that one picture, whose `save` writes the family tree beside it.
    Raises:
        RecipeError: unknown field, or a value that is not allowed; parents of different models.
        PhospheneError: as for `run`.
    """
    asked = {
        "parents": tuple(map(str, parents)),
        "model": model,
        "children": children,
        "mutation": mutation,
        "seed": seed,
    }
    return pictures_of("breed", {**asked, "layout": "files", **fields}, zoo, device)


def edit(
    source: int | str | Path,
    directions: Mapping[str, float] | None = None,
    model: str | None = None,
    *,
    zoo: Zoo | None = None,
    device: str = "cpu",
    **fields: object,
) -> Picture:
    """Move a picture along directions: `phosphene.edit(7, {"pc0": 2, "pc3": -1}, "faces-dcgan")`.

    Args:
        source: A seed, or the path of a picture that phosphene made.
        directions: Amounts in standard deviations, by name; None gives a sheet of what there is.
        model: None is that of the picture, or faces-dcgan.
        fields: Any other field of the recipe `Edit`.
    Raises:
        RecipeError: unknown field, or a value that is not allowed; no such direction.
        PhospheneError: as for `run`.
    """
    named = "seed" if isinstance(source, int) else "source"
    asked: dict[str, object] = {
        named: source if isinstance(source, int) else str(source),
        "model": model,
        "directions": tuple(f"{name}:{amount}" for name, amount in (directions or {}).items()),
        "layout": "sheet" if directions is None else "picture",
    }
    return pictures_of("edit", {**asked, **fields}, zoo, device)[0]


def invert(
    photo: str | Path,
    model: str = "faces-dcgan",
    *,
    seed: int | None = None,
    zoo: Zoo | None = None,
    device: str = "cpu",
    **fields: object,
) -> Picture:
    """Look for a photo in a generator; the picture that is found can be edited and bred.

    Args:
        seed: Of the search.
        fields: Any other field of the recipe `Invert`, for example `iterations=1000`.
    Raises:
        ImageError: the photo is unreadable.
        RecipeError: unknown field, or a value that is not allowed.
        PhospheneError: as for `run`.
    """
    asked = {"photo": str(photo), "model": model, "seed": seed}
    return pictures_of("invert", {**asked, **fields}, zoo, device)[0]
