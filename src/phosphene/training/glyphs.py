"""Capital letters and digits from many typefaces, as a folder of class folders, in grey.

The typefaces come as WOFF files inside npm packages, by exact version; they are read in place and
never installed. All are under the SIL Open Font License or the Apache licence, which is checked.
"""

import io
import json
import re
import string
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFont

from phosphene.core.errors import RecipeError
from phosphene.core.files import make_folder, whole_folder, write_bytes
from phosphene.core.protocols import Step
from phosphene.training.emoji import fetch_package

GLYPHS = string.digits + string.ascii_uppercase
SIDE = 32  # px
FINE = 4  # times as large while drawing, so that edges fall between pixels
EM = 100  # px: the size at which a typeface is measured
INK_SHARE = 0.8  # of the side: the height of the tallest capital or digit, at most
WEIGHTS = ("400", "700", "900")
LICENCES = ("OFL-1.1", "Apache-2.0")
MOST_MEMBER_BYTES = 2_000_000
FAMILIES = (
    "abril-fatface", "alfa-slab-one", "architects-daughter", "bebas-neue", "bitter",
    "caveat", "cinzel", "comfortaa", "cormorant-garamond", "courier-prime", "eb-garamond",
    "fira-sans", "indie-flower", "josefin-sans", "kalam", "libre-baskerville", "limelight",
    "lobster", "lora", "merriweather", "montserrat", "nunito", "open-sans", "orbitron",
    "oswald", "pacifico", "patrick-hand", "permanent-marker", "playfair-display",
    "press-start-2p", "quicksand", "raleway", "righteous", "roboto", "rokkitt", "satisfy",
    "source-code-pro", "space-mono", "special-elite", "zilla-slab",
)  # fmt: skip
OTHER_VERSIONS = {"source-code-pro": "5.3.1"}
PACKAGES = {f"@fontsource/{name}": OTHER_VERSIONS.get(name, "5.3.0") for name in FAMILIES}


@dataclass(frozen=True, slots=True)
class Family:
    """The typefaces of a package: WOFF files by name ("lora-700-italic"), and whose they are."""

    package: str
    licence: str
    copyright: str
    faces: dict[str, bytes]


def build_glyphs(out: Path, packages: Path | None = None) -> Iterator[Step]:
    """Write the glyphs, black on white, to `out/<glyph>/<typeface>.png`, all or nothing.

    Letters of a typeface keep their sizes relative to one another; each is centred. A typeface
    that lacks a glyph leaves it out.

    Args:
        out: Folder to make; must not exist or be empty.
        packages: Folder of npm tarballs, read where present and filled where not; a folder of the
            user's cache by default.
    Yields:
        A step for each family; scalars: `pictures` and `typefaces` so far, `missing` glyphs.
    Raises:
        MissingTool: npm is absent or cannot fetch a package.
        RecipeError: `out` holds files, or a package is broken or under another licence.
        StorageError: the disk is full or `out` cannot be written.
    """
    packages = packages or Path.home() / ".cache" / "phosphene" / "npm"
    with whole_folder(out) as temporary:
        for glyph in GLYPHS:
            make_folder(temporary / glyph)
        yield from _draw_all(temporary, packages)


def _draw_all(folder: Path, packages: Path) -> Iterator[Step]:
    rows: list[str] = []
    pictures = typefaces = missing = 0
    for index, (package, version) in enumerate(PACKAGES.items()):
        family = read_family(fetch_package(package, version, packages), package)
        rows.append(f"| `{package}@{version}` | {family.licence} | {family.copyright} |")
        for name, woff in family.faces.items():
            drawn = draw_glyphs(woff)
            for glyph, image in drawn.items():
                image.save(folder / glyph / f"{name}.png", "PNG")
            pictures += len(drawn)
            missing += len(GLYPHS) - len(drawn)
            typefaces += 1
        scalars = {"pictures": pictures, "typefaces": typefaces, "missing": missing}
        yield Step(index, len(PACKAGES), scalars={k: float(v) for k, v in scalars.items()})
    write_bytes(folder / "LICENCES.md", _licences(rows).encode())


def read_family(tarball: Path, package: str) -> Family:
    """Read the upright and italic faces of a package in place, at the weights of `WEIGHTS`.

    Raises:
        RecipeError: it is damaged, holds no faces, or is under a licence that is not on the list.
    """
    slug = package.rpartition("/")[2]
    wanted = re.compile(
        rf"package/files/{re.escape(slug)}-latin-({'|'.join(WEIGHTS)})-(normal|italic)\.woff"
    )
    faces: dict[str, bytes] = {}
    try:
        with tarfile.open(tarball, "r:gz") as archive:
            told = json.loads(_member(archive, "package/package.json"))
            text = _member(archive, "package/LICENSE").decode("utf-8", "replace")
            for name in sorted(archive.getnames()):
                if found := wanted.fullmatch(name):
                    faces[f"{slug}-{found[1]}-{found[2]}"] = _member(archive, name)
    except (OSError, tarfile.TarError, EOFError, KeyError, ValueError) as error:
        raise RecipeError(
            f"cannot read {str(tarball)!r} ({error}); delete it to fetch it anew"
        ) from None
    licence = str(told.get("license") if isinstance(told, dict) else None)
    if licence not in LICENCES:
        raise RecipeError(
            f"{package} is under {licence[:40]!r}; only {' and '.join(LICENCES)} are used"
        )
    if not faces:
        raise RecipeError(f"{str(tarball)!r} holds no typefaces; delete it to fetch it anew")
    lines = (" ".join(line.split()) for line in text.splitlines())
    owner = next((line for line in lines if line.startswith("Copyright")), "see the package")
    return Family(package, licence, owner.replace("|", "/")[:200], faces)


def draw_glyphs(woff: bytes) -> dict[str, Image.Image]:
    """Draw each glyph that a typeface has, black on white, `SIDE` px.

    Raises:
        RecipeError: not a typeface.
    """
    try:
        boxes = {glyph: _face(woff, EM).getbbox(glyph) for glyph in GLYPHS}
    except OSError as error:
        raise RecipeError(f"cannot read a typeface ({error}); is the package damaged?") from None
    seen = {glyph: box for glyph, box in boxes.items() if box[2] > box[0] and box[3] > box[1]}
    if not seen:
        return {}
    side = SIDE * FINE
    # the tallest glyph sets the size, unless another is too wide for the picture
    tallest = max(bottom - top for _, top, _, bottom in seen.values())
    widest = max(right - left for left, _, right, _ in seen.values())
    size = EM * min(INK_SHARE * side / tallest, (side - 2 * FINE) / widest)
    face = _face(woff, size)
    return {glyph: _drawn(face, glyph, side) for glyph in seen}


def _drawn(face: ImageFont.FreeTypeFont, glyph: str, side: int) -> Image.Image:
    canvas = Image.new("L", (2 * side, 2 * side), 0)
    ImageDraw.Draw(canvas).text((side // 2, side // 2), glyph, fill=255, font=face)
    # of the ink itself: `getbbox` of a typeface includes the room beside a letter
    left, top, right, bottom = canvas.getbbox() or (0, 0, 2 * side, 2 * side)
    corner = ((left + right - side) // 2, (top + bottom - side) // 2)
    ink = canvas.crop((*corner, corner[0] + side, corner[1] + side))
    return ImageChops.invert(ink).resize((SIDE, SIDE), Image.Resampling.BOX)


def _face(woff: bytes, size: float) -> ImageFont.FreeTypeFont:
    # the basic layout: a glyph by itself needs no shaping
    return ImageFont.truetype(io.BytesIO(woff), size, layout_engine=ImageFont.Layout.BASIC)


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.getmember(name)
    if not member.isfile() or member.size > MOST_MEMBER_BYTES:
        raise KeyError(f"{name} is no file of a sensible size")
    file = archive.extractfile(member)
    assert file is not None
    return file.read()


def _licences(rows: list[str]) -> str:
    return "\n".join(
        [
            "# Whose typefaces these are",
            "",
            f"Capital letters and digits, rendered to {SIDE} px by `phosphene data glyphs`.",
            "OFL-1.1 is the SIL Open Font License; it covers the typefaces, not pictures of words "
            "set in them.",
            "",
            "| package | licence | whose |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )
