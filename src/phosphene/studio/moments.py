"""A moment of a job becomes a picture of the gallery, so that something else can begin from it.

It is the preview that was shown, at most `store.PREVIEW_SIDE` px: what a fork starts from is
painted over anyway. Imports no torch.
"""

from phosphene.core.errors import RecipeError
from phosphene.core.image_files import open_pil
from phosphene.studio.entry import Entry, columns_of, reencoded
from phosphene.studio.job_events import preview_of
from phosphene.studio.recipe import Painting
from phosphene.studio.references import descended_from
from phosphene.studio.store import sha256
from phosphene.studio.studio import Studio

ORIGIN = "moment"


def keep_moment(studio: Studio, job: str, event: int) -> Entry:
    """Put a job's preview into the gallery; asked again, the same picture.

    Raises:
        NotFound: no such job, or the event has no preview.
        RecipeError: the job paints nothing, or another version of phosphene wrote its recipe.
        StorageError: disk full, folder not writable.
    """
    recipe = studio.jobs.get(job).parsed()
    if not isinstance(recipe, Painting):
        raise RecipeError(f"job {job[:64]!r} paints no picture to go on from")
    png = reencoded(preview_of(studio.database, job, event), {})
    image = open_pil(png)
    columns = {
        **columns_of(recipe),
        "id": sha256(png),
        "bytes": len(png),
        "width": image.width,
        "height": image.height,
        "seed": "",  # none gives it again
        "manifest": None,
        "genes": "",
        "foreign": None,
        "origin": ORIGIN,
    }
    studio.store.put(png)
    with studio.database.writing() as connection:
        studio.gallery.insert(connection, columns, parents_of=descended_from(recipe))
    return studio.gallery.get(str(columns["id"]))
