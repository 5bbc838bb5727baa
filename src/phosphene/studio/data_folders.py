"""`folder:NAME` in a training recipe: one of the folders that whoever serves has opened to others.

A name is looked up in the listing of one folder; nothing of it becomes a path before. It is looked
up again when the job begins, since folders change while jobs wait. Imports no torch.
"""

import os
from pathlib import Path
from typing import TypeVar

from phosphene.core.errors import RecipeError, did_you_mean
from phosphene.studio.recipe import Recipe, Train

PREFIX = "folder:"

Kind = TypeVar("Kind", bound=Recipe)


def folder_names(root: Path) -> list[str]:
    """Names of the folders directly in one, sorted; none if it cannot be read.

    Links are no folders here, nor is what is hidden, or called as shards are.
    """
    try:
        with os.scandir(root) as entries:
            return sorted(entry.name for entry in entries if _is_offered(entry))
    except OSError:
        return []


def data_folder(root: Path, name: str) -> Path:
    """The folder of a name.

    Raises:
        RecipeError: the listing has no such name, or what is in it leads out of the root.
    """
    names = folder_names(root)
    if name not in names:
        near = did_you_mean(name, names)
        raise RecipeError(f"data: no folder {name[:80]!r} to learn from{near}")
    path = root / name
    if path.resolve() != root.resolve() / name or _leads_out(path):
        raise RecipeError(f"data: folder {name[:80]!r} leads to other folders by links")
    return path


def folder_name(recipe: Recipe) -> str | None:
    """The name that a recipe calls its folder by; None if it names none in this way."""
    if not isinstance(recipe, Train) or recipe.data is None:
        return None
    return recipe.data.removeprefix(PREFIX) if recipe.data.startswith(PREFIX) else None


def with_data(recipe: Kind, root: Path | None) -> Kind:
    """The recipe with the folder's path instead of its name; itself, if it names none.

    Args:
        root: Where folders of names are; None if there is no such place.
    Raises:
        RecipeError: no such folder.
    """
    name = folder_name(recipe)
    if name is None:
        return recipe
    if root is None:
        raise RecipeError(
            f"data: no folder {name[:80]!r} to learn from; start `phosphene serve --data-dir DIR`"
        )
    return recipe.model_copy(update={"data": str(data_folder(root, name))})


def _is_offered(entry: "os.DirEntry[str]") -> bool:
    name = entry.name
    if name.startswith(".") or name.endswith(".tar") or not name.isprintable():
        return False
    return entry.is_dir(follow_symlinks=False)


def _leads_out(path: Path) -> bool:
    """Whether a link directly in a folder leads out of it; of those further down no picture is
    read (`FolderSource`).
    """
    with os.scandir(path) as entries:
        links = [path / entry.name for entry in entries if entry.is_symlink()]
    return not all(link.resolve().is_relative_to(path.resolve()) for link in links)
