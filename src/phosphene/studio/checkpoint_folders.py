"""Checkpoints of other programs, in the folders that whoever serves has opened to be converted.

One goes by `FOLDER/FILE`, the folder's own name and the file's: a line of the listing, in which it
is looked up; nothing of it becomes a path. Imports no torch.
"""

import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from phosphene.core.errors import NotFound, RecipeError, did_you_mean

ENDINGS = (".ckpt", ".pt", ".pth", ".bin", ".pkl", ".safetensors")
CONFIG_ENDINGS = (".yaml", ".yml")
BIGGAN_CONFIG = "config.json"


class CheckpointKind(StrEnum):
    """Where checkpoints come from: the names of `zoo.convert.KINDS`."""

    TAMING = "taming"
    STYLEGAN2 = "stylegan2"
    BIGGAN = "biggan"


def checkpoint_roots(folders: Sequence[Path]) -> tuple[Path, ...]:
    """The folders to open, as they are found from everywhere.

    Raises:
        RecipeError: one is no folder, or two have the same name.
    """
    roots: dict[str, Path] = {}
    for folder in folders:
        root = folder.resolve()
        if not root.is_dir():
            raise RecipeError(f"{str(folder)!r} is no folder; it holds published checkpoints")
        if roots.setdefault(root.name, root) != root:
            raise RecipeError(f"two folders are called {root.name!r}; rename one of them")
    return tuple(roots.values())


def checkpoints(roots: Sequence[Path]) -> list[str]:
    """What can be asked for: `FOLDER/FILE` of each checkpoint directly in a folder, sorted.

    Links are no files here, nor is what is hidden; a folder that cannot be read has none.
    """
    return sorted(_by_name(roots))


def checkpoint_file(roots: Sequence[Path], name: str) -> Path:
    """The file of a line of the listing.

    Raises:
        NotFound: the listing has no such line.
    """
    found = _by_name(roots)
    if name not in found:
        raise NotFound(f"checkpoint: no {name[:80]!r} here{did_you_mean(name[:200], found)}")
    return found[name]


def config_beside(kind: str, checkpoint: Path) -> Path | None:
    """The file that describes a checkpoint, where its kind has one to be named.

    Of taming it is the .yaml called as the checkpoint is, or the only one in the folder.

    Raises:
        RecipeError: there is none, or it is a link.
    """
    names = _files(checkpoint.parent)
    if kind == CheckpointKind.TAMING:
        described = [name for name in names if name.lower().endswith(CONFIG_ENDINGS)]
        same = [name for name in described if Path(name).stem == checkpoint.stem]
        if len(same or described) != 1:
            raise RecipeError(
                f"a taming checkpoint needs the .yaml published with it: put it beside "
                f"{checkpoint.name!r}, as {checkpoint.stem + '.yaml'!r}"
            )
        return checkpoint.with_name((same or described)[0])
    # a BigGAN's is looked for by the converter, which would follow a link
    beside = checkpoint.with_name(BIGGAN_CONFIG)
    if kind == CheckpointKind.BIGGAN and beside.is_symlink():
        raise RecipeError(f"{BIGGAN_CONFIG!r} beside {checkpoint.name!r} is a link; put a file")
    return None


def _by_name(roots: Sequence[Path]) -> dict[str, Path]:
    return {
        f"{root.name}/{name}": root / name
        for root in roots
        for name in _files(root)
        if name.lower().endswith(ENDINGS)
    }


def _files(root: Path) -> list[str]:
    try:
        with os.scandir(root) as entries:
            return sorted(entry.name for entry in entries if _is_offered(entry))
    except OSError:
        return []


def _is_offered(entry: "os.DirEntry[str]") -> bool:
    if entry.name.startswith(".") or not entry.name.isprintable():
        return False
    return entry.is_file(follow_symlinks=False)
