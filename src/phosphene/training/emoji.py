"""Build the emoji sprite set: real drawings of about 1,500 concepts in six styles.

The drawings come as SVG inside npm packages, by exact version; they are read in place and rendered
to PNG with transparency. `OUT/index.json` says what is there, `OUT/LICENCES.md` whose it is.
"""

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from phosphene.core.errors import MissingTool, RecipeError
from phosphene.core.files import make_folder, whole_folder, write_bytes
from phosphene.core.protocols import Step
from phosphene.training.emoji_names import (
    FX_NAMES,
    FX_OWN,
    Concept,
    add_name,
    add_shortcodes,
    code_of,
    concepts_of,
    settle_names,
    slug,
    squeeze,
)

INDEX_VERSION = 1
CHUNK = 32  # sprites a step


@dataclass(frozen=True, slots=True)
class IconSet:
    """One drawing style and where it comes from."""

    style: str
    package: str
    version: str
    title: str
    author: str
    licence: str
    url: str

    @property
    def tarball(self) -> str:
        return _tarball(self.package, self.version)


NAMES_PACKAGE = ("emojibase-data", "17.0.0")
SHORTCODES = ("emojibase", "github")
SETS = (
    IconSet("3d", "@iconify-json/fluent-emoji", "1.2.7", "Fluent Emoji", "Microsoft Corporation",
            "MIT", "https://github.com/microsoft/fluentui-emoji"),
    IconSet("flat", "@iconify-json/fluent-emoji-flat", "1.2.6", "Fluent Emoji Flat",
            "Microsoft Corporation", "MIT", "https://github.com/microsoft/fluentui-emoji"),
    IconSet("noto", "@iconify-json/noto", "1.2.9", "Noto Emoji", "Google Inc",
            "Apache-2.0", "https://github.com/googlefonts/noto-emoji"),
    IconSet("blob", "@iconify-json/noto-v1", "1.2.5", "Noto Emoji (v1, blobs)", "Google Inc",
            "Apache-2.0", "https://github.com/googlefonts/noto-emoji"),
    IconSet("twemoji", "@iconify-json/twemoji", "1.2.5", "Twemoji", "Twitter and contributors",
            "CC-BY-4.0", "https://github.com/jdecked/twemoji"),
    IconSet("fxemoji", "@iconify-json/fxemoji", "1.2.2", "FxEmojis", "Mozilla",
            "Apache-2.0", "https://github.com/mozilla/fxemoji"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Drawing:
    """One sprite to render: SVG text (already square) and the file it becomes."""

    svg: str
    path: Path


def _tarball(package: str, version: str) -> str:
    return f"{package.removeprefix('@').replace('/', '-')}-{version}.tgz"


def fetch_package(package: str, version: str, folder: Path) -> Path:
    """Return the package's tarball in `folder`, fetching it with `npm pack` when it is not there.

    Raises:
        MissingTool: npm is not installed, or could not fetch the package.
    """
    path = folder / _tarball(package, version)
    if path.is_file():
        return path
    npm = shutil.which("npm")
    if npm is None:
        raise MissingTool(
            f"npm is needed to fetch {package}@{version}; install Node.js, or put "
            f"{path.name} into {str(folder)!r}"
        )
    make_folder(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as temporary:
        done = subprocess.run(
            [npm, "pack", f"{package}@{version}", "--silent", "--pack-destination", temporary],
            capture_output=True, text=True, check=False, cwd=temporary,
        )  # fmt: skip
        fetched = Path(temporary) / path.name
        if done.returncode != 0 or not fetched.is_file():
            last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
            raise MissingTool(f"npm could not fetch {package}@{version}: {last[:160]}")
        fetched.replace(path)
    return path


def read_json(tarball: Path, member: str) -> Any:
    """Read one JSON file inside an npm tarball in place; None when there is no such member.

    Raises:
        RecipeError: the tarball or the JSON is broken.
    """
    try:
        with tarfile.open(tarball, "r:gz") as archive:
            file = archive.extractfile(f"package/{member}")
            return None if file is None else json.load(file)
    except KeyError:
        return None
    except (OSError, tarfile.TarError, EOFError, ValueError) as error:
        raise RecipeError(
            f"cannot read {member} in {str(tarball)!r} ({error}); delete it to fetch it anew"
        ) from None


def match_icons(
    icons: Iterable[str], chars: Mapping[str, str], by_code: Mapping[str, Concept], fx: bool
) -> dict[str, Concept]:
    """Map a set's icon names to concepts: by code point where the set tells it, else by name."""
    by_name = {squeeze(c.label): c for c in by_code.values()}
    by_name |= {squeeze(c.name): c for c in by_code.values()}
    code_by_icon = {icon: code_of(code) for code, icon in chars.items()}
    matched: dict[str, Concept] = {}
    taken: set[str] = set()
    for icon in sorted(icons):
        concept = by_code.get(code_by_icon.get(icon, "")) or by_name.get(squeeze(icon))
        if concept is None and fx:
            concept = by_name.get(squeeze(FX_NAMES.get(icon, "")))
        if concept is not None and concept.name not in taken:
            taken.add(concept.name)
            matched[icon] = concept
    return matched


def square_svg(icon: Mapping[str, Any], pack: Mapping[str, Any]) -> str:
    """Wrap an icon's body into an SVG whose view box is the smallest centred square around it."""
    width = float(icon.get("width", pack.get("width", 16)))
    height = float(icon.get("height", pack.get("height", 16)))
    left, top = float(icon.get("left", 0)), float(icon.get("top", 0))
    side = max(width, height)
    box = f"{left - (side - width) / 2:g} {top - (side - height) / 2:g} {side:g} {side:g}"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{box}" width="{side:g}" height="{side:g}">{icon["body"]}</svg>'
    )


def render_drawings(drawings: list[Drawing], size: int) -> list[bool]:
    """Render sprites to RGBA PNG files; False where the drawing is broken or blank."""
    import resvg_py
    from PIL import Image

    drawn = []
    for drawing in drawings:
        try:
            png = resvg_py.svg_to_bytes(
                svg_string=drawing.svg, width=size, height=size, skip_system_fonts=True
            )
        except ValueError:
            drawn.append(False)
            continue
        with Image.open(io.BytesIO(bytes(png))) as decoded:
            image = decoded.convert("RGBA")
        visible = image.getchannel("A").getextrema()[1] > 0  # type: ignore[operator]
        if visible:
            image.save(drawing.path, "PNG")
        drawn.append(visible)
    return drawn


def build_emoji(
    out: Path, size: int = 128, packages: Path | None = None, workers: int = 1
) -> Iterator[Step]:
    """Fetch the icon sets and render the sprite set into `out`, all or nothing.

    Args:
        out: Folder to make; must not exist or be empty.
        size: Side of a sprite in pixels, 16 to 1024.
        packages: Folder of npm tarballs, read where present and filled where not; a folder of the
            user's cache by default.
        workers: Rendering processes; above 1 the caller's script needs a `__main__` guard.
    Yields:
        A step for every 32 sprites; scalars: `sprites` drawn so far, `concepts`, `blank`.
    Raises:
        MissingTool: npm is absent or cannot fetch a package.
        RecipeError: `out` holds files, `size` out of range, a package is broken.
        StorageError: the disk is full or `out` cannot be written.
    """
    if not 16 <= size <= 1024:
        raise RecipeError(f"size {size} is out of range; sprites are 16 to 1024 pixels")
    packages = packages or Path.home() / ".cache" / "phosphene" / "npm"
    with whole_folder(out) as temporary:
        concepts, drawings, hashes = _plan(packages, temporary)
        yield from _render(concepts, drawings, size, workers)
        _write_index(temporary, concepts, size, hashes)


Plan = dict[str, dict[str, Drawing]]  # concept -> style -> drawing


def _plan(packages: Path, root: Path) -> tuple[list[Concept], Plan, dict[str, str]]:
    """Read all packages and decide what is drawn where."""
    names = fetch_package(*NAMES_PACKAGE, packages)
    records, meta = read_json(names, "en/data.json"), read_json(names, "meta/groups.json")
    if records is None or meta is None:
        raise RecipeError(f"{str(names)!r} lacks en/data.json; delete it to fetch it anew")
    by_code = concepts_of(records, meta)
    for chat in SHORTCODES:
        add_shortcodes(by_code, read_json(names, f"en/shortcodes/{chat}.json") or {})
    concepts = {concept.name: concept for concept in by_code.values()}
    hashes = {names.name: hashlib.sha256(names.read_bytes()).hexdigest()}
    plan: Plan = {}
    tarballs = [fetch_package(s.package, s.version, packages) for s in SETS]
    listed = [read_json(tarball, "chars.json") or {} for tarball in tarballs]
    # Half of the sets tell no code points; the others' names for them are right there too.
    borrowed = {code: icon for chars in reversed(listed) for code, icon in chars.items()}
    for icon_set, tarball, own_chars in zip(SETS, tarballs, listed, strict=True):
        hashes[tarball.name] = hashlib.sha256(tarball.read_bytes()).hexdigest()
        pack, chars = read_json(tarball, "icons.json"), own_chars or borrowed
        if not isinstance(pack, dict) or "icons" not in pack:
            raise RecipeError(f"{str(tarball)!r} lacks icons.json; delete it to fetch it anew")
        fx = icon_set.style == "fxemoji"
        matched = match_icons(pack["icons"], chars, by_code, fx)
        if fx:
            matched |= _own_concepts(pack["icons"], concepts)
        folder = make_folder(root / "sprites" / icon_set.style)
        for icon, concept in matched.items():
            path = folder / f"{concept.name}.png"
            drawing = Drawing(square_svg(pack["icons"][icon], pack), path)
            plan.setdefault(concept.name, {})[icon_set.style] = drawing
            if not fx:
                add_name(concept, icon)
        for alias, entry in pack.get("aliases", {}).items():
            if entry.get("parent") in matched and not {"hFlip", "vFlip", "rotate"} & entry.keys():
                add_name(matched[entry["parent"]], alias)
    return [concepts[name] for name in sorted(plan)], plan, hashes


def _own_concepts(icons: Mapping[str, Any], concepts: dict[str, Concept]) -> dict[str, Concept]:
    own = {}
    for icon, (label, group, subgroup) in FX_OWN.items():
        if icon in icons and slug(label) not in concepts:
            own[icon] = concepts[slug(label)] = Concept(slug(label), label, group, subgroup)
    return own


def _render(concepts: list[Concept], plan: Plan, size: int, workers: int) -> Iterator[Step]:
    jobs = [(c, style, drawing) for c in concepts for style, drawing in plan[c.name].items()]
    chunks = [jobs[i : i + CHUNK] for i in range(0, len(jobs), CHUNK)]
    sprites = blank = 0
    for index, drawn in enumerate(_drawn_chunks(chunks, size, workers)):
        for (concept, style, _), visible in zip(chunks[index], drawn, strict=True):
            if visible:
                concept.styles.append(style)
        sprites += sum(drawn)
        blank += len(drawn) - sum(drawn)
        counted = {"sprites": sprites, "concepts": len(concepts), "blank": blank}
        scalars = {name: float(count) for name, count in counted.items()}
        yield Step(index, len(chunks), scalars=scalars)
    concepts[:] = [concept for concept in concepts if concept.styles]
    if not concepts:
        raise RecipeError("the icon packages hold no usable drawing; are they the right ones?")


def _drawn_chunks(
    chunks: list[list[tuple[Concept, str, Drawing]]], size: int, workers: int
) -> Iterator[list[bool]]:
    work = [[drawing for _, _, drawing in chunk] for chunk in chunks]
    if workers <= 1:
        for chunk in work:
            yield render_drawings(chunk, size)
        return
    # Not fork: the caller may hold threads (torch's, a server's), and locks do not survive it.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        try:
            yield from pool.map(render_drawings, work, [size] * len(work))
        finally:
            pool.shutdown(cancel_futures=True)


def _write_index(root: Path, concepts: list[Concept], size: int, hashes: Mapping[str, str]) -> None:
    settle_names(concepts)
    order = [icon_set.style for icon_set in SETS]
    index = {
        "version": INDEX_VERSION,
        "size": size,
        "styles": order,
        "packages": hashes,
        "concepts": {
            c.name: {
                "label": c.label,
                "names": c.names,
                "keywords": c.keywords,
                "group": c.group,
                "subgroup": c.subgroup,
                "char": c.char,
                "styles": sorted(c.styles, key=order.index),
                "held_out": c.held_out,
            }
            for c in concepts
        },
    }
    text = json.dumps(index, ensure_ascii=False, indent=1)
    write_bytes(root / "index.json", text.encode())
    write_bytes(root / "LICENCES.md", licences().encode())


def licences() -> str:
    """Attribution of every set, as Markdown."""
    rows = [
        f"| {s.style} | [{s.title}]({s.url}) | {s.author} | {s.licence} "
        f"| `{s.package}@{s.version}` |"
        for s in SETS
    ]
    return "\n".join(
        [
            "# Whose drawings these are",
            "",
            "Rendered from SVG to PNG by `phosphene data emoji`, otherwise unchanged.",
            "",
            "| style | set | author | licence | package |",
            "|---|---|---|---|---|",
            *rows,
            "",
            "Twemoji: copyright Twitter, Inc and other contributors, graphics licensed under "
            "[CC-BY 4.0](https://creativecommons.org/licenses/by/4.0/).",
            "",
            f"Names and keywords: `{NAMES_PACKAGE[0]}@{NAMES_PACKAGE[1]}` (MIT, Miles Johnson).",
            "",
        ]
    )
