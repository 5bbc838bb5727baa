"""The native API of the gallery: search, files, favourites, collections, bin, import and export."""

import tempfile
from collections.abc import Iterator
from typing import Annotated, Literal, get_args

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from phosphene.core.errors import NotFound
from phosphene.studio.entry import Entry
from phosphene.studio.exporting import found, write_zip
from phosphene.studio.gallery import Search
from phosphene.studio.importing import import_picture
from phosphene.web.api.views import (
    CollectionView,
    PictureDetails,
    PicturePage,
    PictureView,
    details,
)
from phosphene.web.failures import Refused
from phosphene.web.guard import PNG
from phosphene.web.house import Here, House
from phosphene.web.renditions import MAX_PIXELS, Look, rendered
from phosphene.web.renditions import MEDIA as MEDIA_TYPES

router = APIRouter(prefix="/api", tags=["gallery"])

CHUNK = 1 << 16
IN_MEMORY = 8_000_000  # bytes of a zip, before it goes to a temporary file
FOR_EVER = {"cache-control": "private, max-age=31536000, immutable"}  # the name is the content
MEDIA = {
    ".mp4": "video/mp4",
    ".gif": "image/gif",
    ".json": "application/json",
    ".zip": "application/zip",
    ".png": "image/png",
}

Id = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="sha256 of the picture's file")]
Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Chosen = Annotated[list[Hash] | None, Query(max_length=200, description="ids, instead of a search")]
Word = Annotated[str | None, Query(max_length=200)]
Shown = Literal["png", "webp", "jpeg"]
Side = Annotated[int | None, Query(ge=16, le=4096, description="px")]
Time = Annotated[float | None, Query(allow_inf_nan=False, description="seconds since 1970")]


class Change(BaseModel):
    """What can be changed of a picture."""

    model_config = ConfigDict(extra="forbid")

    favourite: bool


class NewCollection(BaseModel):
    """A collection that is to be made."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)


def searched(
    *,
    q: Annotated[str, Query(max_length=500, description="words of the prompt")] = "",
    model: Word = None,
    kind: Word = None,
    job: Word = None,
    since: Time = None,
    until: Time = None,
    favourite: bool | None = None,
    collection: Word = None,
    bin: bool = False,  # noqa: A002 (the name of the parameter in the URL)
) -> Search:
    """The conditions of a search, from a URL."""
    return Search(
        words=q,
        model=model,
        kind=kind,
        job=job,
        since=since,
        until=until,
        favourite=favourite,
        collection=collection,
        bin=bin,
    )


Sought = Annotated[Search, Depends(searched)]


@router.get("/gallery")
def search(
    here: Here,
    sought: Sought,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str | None, Query(max_length=120)] = None,
) -> PicturePage:
    """Find pictures, the newest first."""
    page = here.studio.gallery.search(sought, limit, after)
    views = [PictureView.of(entry) for entry in page.entries]
    return PicturePage(pictures=views, total=page.total, more=page.more)


@router.get("/gallery/export.zip", response_class=StreamingResponse)
def export(here: Here, sought: Sought, picture: Chosen = None) -> StreamingResponse:
    """Download what a search finds, or the pictures that are named, as a zip."""
    gallery = here.studio.gallery
    entries = [gallery.get(name) for name in picture] if picture else found(gallery, sought)
    file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 (closed by `_chunks`)
    write_zip(gallery, entries, file)
    file.seek(0)

    def chunks() -> Iterator[bytes]:
        with file:
            while chunk := file.read(CHUNK):
                yield chunk

    name = {"content-disposition": 'attachment; filename="phosphene.zip"'}
    return StreamingResponse(chunks(), media_type="application/zip", headers=name)


@router.post(
    "/gallery/import",
    status_code=201,
    openapi_extra={"requestBody": {"required": True, "content": {PNG: {"schema": {}}}}},
)
async def import_png(here: Here, request: Request) -> PictureDetails:
    """Bring in a PNG that carries a recipe of phosphene, AUTOMATIC1111 or ComfyUI."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != PNG:
        raise Refused(415, "wrong_content_type", f"send the picture itself, as {PNG}")
    data = await request.body()
    entry = await run_sync(import_picture, here.studio.gallery, data)
    return await run_sync(_details, here, entry)


@router.delete("/gallery/bin")
def empty_bin(here: Here) -> dict[str, int]:
    """Delete all that is in the bin for ever."""
    return {"deleted": here.studio.gallery.empty_bin()}


@router.get("/gallery/{picture}")
def show(here: Here, picture: Id) -> PictureDetails:
    """Show everything that is known of a picture."""
    return _details(here, here.studio.gallery.get(picture))


@router.get(
    "/gallery/{picture}/image",
    response_class=FileResponse,
    responses={200: {"content": {MEDIA_TYPES[kind]: {} for kind in get_args(Shown)}}},
)
def image(
    here: Here,
    picture: Id,
    width: Side = None,
    height: Side = None,
    format: Shown = "png",  # noqa: A002 (the name of the parameter in the URL)
) -> Response:
    """Download a picture, with its recipe inside; or show it in another size or format."""
    entry = here.studio.gallery.get(picture)
    if format == "png" and not width and not height:
        return _file(here, picture, ".png", FOR_EVER)
    look = Look(width or entry.width, height or entry.height, format)
    if (look.width or 0) * (look.height or 0) > MAX_PIXELS:
        raise Refused(400, "too_large", f"width, height: at most {MAX_PIXELS:,} pixels", "width")
    data = rendered(here.studio.store.read(picture), look)
    return Response(data, media_type=MEDIA_TYPES[format], headers=FOR_EVER)


@router.get("/gallery/{picture}/thumbnail", response_class=FileResponse)
def thumbnail(here: Here, picture: Id) -> FileResponse:
    """Show a picture small, as WebP."""
    here.studio.gallery.get(picture)
    small = here.studio.store.thumbnail(picture)
    return FileResponse(small, media_type="image/webp", headers=FOR_EVER)


@router.get("/gallery/{picture}/attachments/{what}", response_class=FileResponse)
def attachment(here: Here, picture: Id, what: Annotated[str, Path(max_length=40)]) -> FileResponse:
    """Download what belongs to a picture: a film, a family tree."""
    here.studio.gallery.get(picture)
    attached = here.studio.gallery.attached(picture)
    for name, (digest, ending) in attached.items():
        if name.lstrip(".") == what:
            headers = {**FOR_EVER, "content-disposition": "attachment"}
            return _file(here, digest, ending, headers)
    raise NotFound(f"picture {picture[:12]}... has no attachment {what!r}")


@router.patch("/gallery/{picture}")
def change(here: Here, picture: Id, to: Change) -> PictureView:
    """Make a picture a favourite, or not."""
    return PictureView.of(here.studio.gallery.star(picture, to.favourite))


@router.delete("/gallery/{picture}")
def delete(here: Here, picture: Id) -> PictureView:
    """Put a picture into the bin."""
    return PictureView.of(here.studio.gallery.delete(picture))


@router.post("/gallery/{picture}/restore")
def restore(here: Here, picture: Id) -> PictureView:
    """Take a picture out of the bin."""
    return PictureView.of(here.studio.gallery.restore(picture))


@router.delete("/gallery/{picture}/forever")
def purge(here: Here, picture: Id) -> dict[str, str]:
    """Delete a picture of the bin for ever."""
    here.studio.gallery.purge(picture)
    return {"deleted": picture}


@router.get("/collections")
def collections(here: Here) -> list[CollectionView]:
    """List the collections."""
    return [CollectionView.of(c) for c in here.studio.collections.listed()]


@router.post("/collections", status_code=201)
def create_collection(here: Here, new: NewCollection) -> CollectionView:
    """Make an empty collection."""
    return CollectionView.of(here.studio.collections.create(new.name))


@router.delete("/collections/{collection}")
def delete_collection(here: Here, collection: str) -> dict[str, str]:
    """Delete a collection; its pictures stay."""
    here.studio.collections.delete(collection)
    return {"deleted": collection}


@router.put("/collections/{collection}/{picture}")
def add_to_collection(here: Here, collection: str, picture: Id) -> dict[str, str]:
    """Put a picture into a collection."""
    here.studio.collections.add(collection, picture)
    return {"added": picture}


@router.delete("/collections/{collection}/{picture}")
def remove_from_collection(here: Here, collection: str, picture: Id) -> dict[str, str]:
    """Take a picture out of a collection."""
    here.studio.collections.remove(collection, picture)
    return {"removed": picture}


def _details(here: House, entry: Entry) -> PictureDetails:
    kin = here.studio.gallery.kin(entry.id)
    attached = list(here.studio.gallery.attached(entry.id))
    return details(entry, kin.parents, kin.children, attached)


def _file(here: House, name: str, ending: str, headers: dict[str, str]) -> FileResponse:
    path = here.studio.store.path(name, ending)
    if not path.is_file():
        raise NotFound(f"the file of {name[:12]}... is not here; `phosphene gallery repair`")
    media = MEDIA.get(ending, "application/octet-stream")
    return FileResponse(path, media_type=media, headers=headers)
