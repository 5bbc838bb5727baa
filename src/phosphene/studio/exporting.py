"""Pictures leave the gallery as one zip: the files as they are, and what is known of them."""

import json
import zipfile
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from io import BufferedIOBase
from tempfile import SpooledTemporaryFile
from typing import TypeAlias

from phosphene.core.errors import NotFound
from phosphene.studio.entry import Entry
from phosphene.studio.folder import slug
from phosphene.studio.gallery import Gallery, Search

File: TypeAlias = BufferedIOBase | SpooledTemporaryFile  # type: ignore[type-arg]

PAGE = 200
SHORT_ID = 8


def found(gallery: Gallery, search: Search) -> Iterable[Entry]:
    """All pictures of a search, page by page."""
    after = None
    while True:
        page = gallery.search(search, PAGE, after)
        yield from page.entries
        if page.more is None:
            return
        after = page.more


def write_zip(
    gallery: Gallery, entries: Iterable[Entry], file: "BufferedIOBase | SpooledTemporaryFile[bytes]"
) -> int:
    """Write pictures, what belongs to them and `gallery.json` into a zip; returns how many.

    Pictures whose file is lost are named in `gallery.json` alone.
    """
    listed = []
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for entry in entries:
            names = {}
            for what, (digest, ending) in _files(gallery, entry).items():
                name = f"{_stem(entry)}{what if '.' in what else what + ending}"
                try:
                    data = gallery.store.read(digest, ending)
                except NotFound:
                    continue
                archive.writestr(zipfile.ZipInfo(name, _moment(entry)), data)
                names[what] = name
            listed.append({**asdict(entry), "files": names})
        text = json.dumps(listed, ensure_ascii=False, indent=1)
        archive.writestr("gallery.json", text, zipfile.ZIP_DEFLATED)
    return len(listed)


def _files(gallery: Gallery, entry: Entry) -> dict[str, tuple[str, str]]:
    return {".png": (entry.id, ".png"), **gallery.attached(entry.id)}


def _stem(entry: Entry) -> str:
    """A name that says what it is, and that no other picture has."""
    return f"{slug(entry.title)}-{entry.seed or 'x'}-{entry.id[:SHORT_ID]}"


def _moment(entry: Entry) -> tuple[int, int, int, int, int, int]:
    at = datetime.fromtimestamp(entry.created, UTC)
    return (max(1980, at.year), at.month, at.day, at.hour, at.minute, at.second)
