"""Which models there are: the cards that ship with phosphene, and those in the user's home.

A name is looked up in `cards.toml`, then in `HOME/models/NAME/card.toml` (what `phosphene models
convert` writes), and is else taken as the path of a .safetensors file or of a folder with one. What
is no path and looks like `org/name` is looked up among what was pulled from the hub.
"""

import functools
import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from phosphene.core.errors import (
    CheckpointError,
    RecipeError,
    UnknownModel,
    WeightsError,
    did_you_mean,
)
from phosphene.core.files import write_bytes
from phosphene.core.header import Header, read_header
from phosphene.zoo import adapters, pipelines, published
from phosphene.zoo.card import Card, to_toml
from phosphene.zoo.published import HubName, hub_name

CARDS = Path(__file__).with_name("cards.toml")
EMBEDDED = Path(__file__).with_name("weights")
WEIGHTS_FILE = published.WEIGHTS_FILE
CARD_FILE = "card.toml"
PATH_NAME = "local-file"
SHORT_COMMIT = 7  # digits of a commit that may stand for all of them


def home() -> Path:
    """Return where fetched and converted models live; call it once and pass the result down.

    It is `PHOSPHENE_HOME` if set, else the platform's cache folder (~/.cache/phosphene on Linux).
    """
    if named := os.environ.get("PHOSPHENE_HOME"):
        return Path(named).expanduser().absolute()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "phosphene"


@functools.cache
def shipped_cards() -> tuple[Card, ...]:
    """Return the cards that ship with phosphene, in the order of the file."""
    with CARDS.open("rb") as file:
        return tuple(Card(**entry) for entry in tomllib.load(file)["card"])


def user_cards(home: Path) -> tuple[list[Card], list[str]]:
    """Return the cards of `home`, and a line for each folder whose card cannot be read."""
    found: list[Card] = []
    broken: list[str] = []
    for path in sorted((home / "models").glob(f"*/{CARD_FILE}")):
        try:
            found.append(_user_card(path))
        except CheckpointError as error:
            broken.append(str(error))
    return found, broken


def cards(home: Path | None = None) -> list[Card]:
    """Return all cards: shipped ones, then those of `home`; a shipped name wins."""
    shipped = list(shipped_cards())
    names = {card.name for card in shipped}
    added = user_cards(home)[0] if home is not None else []
    return shipped + [card for card in added if card.name not in names]


def card(name: str, home: Path | None = None) -> Card:
    """Return the card of a name, or one made for the path of a weight file or folder.

    Args:
        name: A path that exists comes before `org/name[@commit]` of a model of the hub, and before
            `model+lora.safetensors:0.8`, a pipeline with LoRAs.
    Raises:
        UnknownModel: neither a known name nor a path.
        CheckpointError: its card or its weight file cannot be read.
        Unsupported: LoRAs for a model that takes none.
    """
    base, loras = adapters.split(name)
    if loras:
        return adapters.with_loras(card(base, home), loras)
    for known in shipped_cards():
        if known.name == name:
            return known
    if home is not None and (path := _user_card_path(name, home)) is not None:
        return _user_card(path)
    if _looks_like_path(name):
        path = Path(name).expanduser().absolute()
        if (wanted := hub_name(name)) is not None and not path.exists():
            return _hub_card(wanted, home)
        return _card_of_path(path, name)
    hint = did_you_mean(name, [known.name for known in cards(home)])
    raise UnknownModel(f"unknown model {name[:100]!r}{hint}; `phosphene models` lists all")


def read_card(path: Path) -> Card:
    """Read a `card.toml`; its weight file lies beside it.

    Raises:
        CheckpointError: not TOML, or not a card.
    """
    try:
        with path.open("rb") as file:
            found = Card(**tomllib.load(file))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "card"
        raise CheckpointError(f"{str(path)!r}: {field}: {first['msg']}; correct it") from None
    except (OSError, ValueError, RecursionError, TypeError) as error:
        raise CheckpointError(f"cannot read the card {str(path)!r}: {error}") from None
    if found.file is None:
        return found
    if Path(found.file).name != found.file:
        raise CheckpointError(
            f"{str(path)!r}: file: {found.file[:80]!r} is not a plain file name; correct it"
        )
    return found.model_copy(update={"file": str(path.parent / found.file)})


def register(card: Card, home: Path) -> Path:
    """Write the card of a model whose weights lie in `HOME/models/NAME/`; return its path.

    Raises:
        RecipeError: a shipped model has that name.
        StorageError: it cannot be written.
    """
    refuse_shipped_name(card.name)
    path = model_folder(card.name, home) / CARD_FILE
    write_bytes(path, to_toml(card).encode())
    return path


def refuse_shipped_name(name: str) -> None:
    """Check that a name is free for a model of the user's.

    Raises:
        RecipeError: a shipped model has it.
    """
    if name in {known.name for known in shipped_cards()}:
        raise RecipeError(f"{name!r} is a model that ships with phosphene; choose another name")


def model_folder(name: str, home: Path) -> Path:
    """Return the folder of a converted model; its weights are `model.safetensors` in it."""
    return home / "models" / name


def _user_card_path(name: str, home: Path) -> Path | None:
    # Names are looked up in the folder's listing, never joined to a path.
    for path in (home / "models").glob(f"*/{CARD_FILE}"):
        if path.parent.name == name:
            return path
    return None


def _user_card(path: Path) -> Card:
    found = read_card(path)
    if found.name != path.parent.name:
        raise CheckpointError(
            f"{str(path)!r}: name: {found.name!r} is not the folder's; rename one of them"
        )
    return found


def _hub_card(wanted: HubName, home: Path | None) -> Card:
    """The card of a model that was pulled from the hub."""
    path = _user_card_path(wanted.slug, home) if home is not None else None
    found = _user_card(path) if path is not None else None
    if found is None or found.hub is None or found.hub.repo.lower() != wanted.repo.lower():
        raise UnknownModel(
            f"no file or folder {str(wanted)!r} here, and no model of that name from the hub; "
            f"`phosphene models pull {wanted}`"
        )
    commit, revision = found.hub.revision, wanted.revision
    if revision and not (len(revision) >= SHORT_COMMIT and commit.startswith(revision)):
        raise UnknownModel(
            f"{wanted.repo!r} is here at commit {commit[:12]}, not at {revision!r}; leave the "
            f"revision out, or `phosphene models pull {wanted}` and name its commit"
        )
    return found


def _looks_like_path(name: str) -> bool:
    separated = "/" in name or os.sep in name or name.startswith(("~", "."))
    return "\0" not in name and (separated or name.endswith(".safetensors"))


def _card_of_path(path: Path, name: str) -> Card:
    folder = path if path.is_dir() else path.parent
    weights = path / WEIGHTS_FILE if path.is_dir() else path
    if path.is_dir() and (folder / CARD_FILE).is_file():
        return read_card(folder / CARD_FILE)
    if pipelines.is_pipeline(folder) and (path.is_dir() or path.name == pipelines.MODEL_INDEX):
        return pipelines.card_of_folder(folder, PATH_NAME)
    if weights.name == WEIGHTS_FILE and published.is_published(folder):
        return published.card_of_folder(folder, PATH_NAME)
    if not weights.is_file():
        missing = f"no file {name!r}"
        if path.is_dir():
            missing = f"folder {name!r} holds no {WEIGHTS_FILE}"
        raise UnknownModel(
            f"{missing}; give a .safetensors file, or a name that `phosphene models` lists"
        )
    header = _header(weights, name)
    return _card_of_config(header.config, header.parameters, weights, name)


def _header(weights: Path, name: str) -> Header:
    try:
        with weights.open("rb") as file:
            return read_header(file, weights.stat().st_size, name)
    except OSError as error:
        raise WeightsError(f"cannot read {name!r}: {error.strerror}") from None


def _card_of_config(config: Mapping[str, Any], parameters: int, weights: Path, name: str) -> Card:
    size = config.get("size")
    fields = {
        "name": PATH_NAME,
        "family": config.get("family"),
        "arch": config.get("arch"),
        "summary": "a weight file given by its path",
        "size": size if type(size) is int and size > 0 else None,
        "parameters": max(1, parameters),
        "licence": "not stated",
        "source": "a local file",
        "trained_on": "not stated",
        "bytes": weights.stat().st_size,
        "file": str(weights),
    }
    try:
        return Card.model_validate(fields)
    except ValidationError:
        raise CheckpointError(
            f"{name!r} does not say what it is: its config names no family and arch; "
            "use `phosphene models convert`, or put a card.toml beside it"
        ) from None
