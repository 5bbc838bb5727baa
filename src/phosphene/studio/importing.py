"""Pictures from outside come into the gallery. Imports no torch.

What is kept is a new PNG of the pixels and of the texts that were understood: nothing else that was
in the file, which may come from a stranger.
"""

import json
from pathlib import Path
from typing import Any

from phosphene.core.errors import ImageError, RecipeError
from phosphene.core.image_files import MAX_RECIPE_BYTES, RECIPE_KEY, open_pil
from phosphene.studio.entry import Entry, columns_of, described, reencoded
from phosphene.studio.foreign import Foreign, read_foreign_picture
from phosphene.studio.gallery import Gallery
from phosphene.studio.store import sha256

MAX_FILE_BYTES = 64_000_000


def import_picture(gallery: Gallery, data: bytes, origin: str = "import") -> Entry:
    """Bring a picture in that carries a recipe: ours, AUTOMATIC1111's or ComfyUI's.

    A picture that is here already stays as it is.

    Args:
        data: The PNG.
    Raises:
        ImageError: unreadable, too large, or it carries nothing that could be read.
        StorageError: disk full, folder not writable.
    """
    image = open_pil(data)
    texts = {k: v for k, v in image.info.items() if isinstance(k, str) and isinstance(v, str)}
    ours = texts.get(RECIPE_KEY)
    if ours is not None:
        described(data, origin)  # says what is wrong with it
        png = reencoded(data, {RECIPE_KEY: ours})
        columns = described(png, origin)
        parents = list((json.loads(ours).get("inputs") or {}).values())
    else:
        foreign = read_foreign_picture(texts)
        if foreign is None:
            raise ImageError(
                "the picture carries no recipe: neither phosphene's, nor AUTOMATIC1111's "
                "`parameters`, nor ComfyUI's `prompt` or `workflow`"
            )
        png = reencoded(data, foreign.texts)
        columns, parents = _foreign_columns(png, foreign, image.size), []
    gallery.store.put(png)
    with gallery.database.writing() as connection:
        gallery.insert(connection, columns, parents_of=[str(parent) for parent in parents])
    return gallery.get(columns["id"])


def keep_painted(gallery: Gallery, png: bytes) -> Entry:
    """Put a picture into the gallery that this studio has just painted; the file stays as it is.

    Raises:
        ImageError: it carries no recipe of ours.
        StorageError: disk full, folder not writable.
    """
    columns = described(png, "job")
    gallery.store.put(png)
    with gallery.database.writing() as connection:
        gallery.insert(connection, columns)
    return gallery.get(columns["id"])


def import_file(gallery: Gallery, path: Path) -> Entry:
    """The same, of a file of this machine.

    Raises:
        ImageError: missing, or as for `import_picture`.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ImageError(f"{str(path)!r} has more than {MAX_FILE_BYTES:,} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"cannot read {str(path)!r}: {error.strerror}") from None
    return import_picture(gallery, data)


def _foreign_columns(png: bytes, foreign: Foreign, size: tuple[int, int]) -> dict[str, Any]:
    recipe = foreign.recipe
    told = {"program": foreign.program, "unmapped": dict(foreign.unmapped), "texts": foreign.texts}
    text = json.dumps(told, ensure_ascii=False)
    if len(text.encode()) > MAX_RECIPE_BYTES:
        raise RecipeError("what the other program wrote is too long to keep")
    return {
        "id": sha256(png),
        "bytes": len(png),
        "width": size[0],
        "height": size[1],
        **columns_of(recipe, (foreign.program, foreign.model)),
        "model": foreign.model,
        "seed": "" if recipe.seed is None else str(recipe.seed),
        "manifest": None,
        "genes": "",
        "foreign": text,
        "origin": "import",
    }
