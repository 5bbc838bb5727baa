"""Models from the Hugging Face hub, at one commit each. Imports no torch.

A repository lies in `HOME/hub/models--ORG--NAME/snapshots/COMMIT/`. The hub says which files there
are; what it has a sha256 of comes through `download`, which resumes, and the small rest through
the hub's own client. A snapshot counts as here once all of it is and its hashes were right.
"""

import re
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from phosphene.core.errors import CheckpointError, PhospheneError, UnknownModel, WeightsError
from phosphene.core.files import make_folder, storage_error
from phosphene.zoo import pipelines, published
from phosphene.zoo.card import Card, Hub
from phosphene.zoo.download import Progress, Wanted, check_space, download
from phosphene.zoo.published import CONFIG_FILE, INDEX_FILE, WEIGHTS_FILE, HubName
from phosphene.zoo.registry import register

TIMEOUT_SECONDS = 20.0
SMALL_FILES = ("*.json", "*.txt", "*.model")
CONVERTER = "SFconvertbot"  # the hub's own, which offers safetensors where authors left pickles


@dataclass(frozen=True, slots=True)
class Remote:
    """A file on the hub.

    Args:
        sha256: None for small files, which the hub keeps in git.
    """

    size: int
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """What a repository holds at a commit.

    Args:
        notes: What its authors state, by field of a card.
    """

    repo: str
    commit: str
    files: Mapping[str, Remote]
    notes: Mapping[str, str]


def snapshot(hub: Hub, home: Path) -> Path | None:
    """The folder of a repository at a commit; None until all of it is here."""
    folder = _folder(hub.repo, hub.revision, home)
    # Written by us after a whole download: the folder itself cannot tell whole from partial.
    return folder if _marker(folder).is_file() else None


def fetch_snapshot(card: Card, hub: Hub, home: Path) -> Iterator[Progress]:
    """Get the files that a card names, at its commit; closing the iterator stops.

    Raises:
        HashMismatch: what came is not what the hub or the card promises.
        WeightsError: no network, refused, gone.
        StorageError: disk full, folder not writable.
    """
    yield Progress(card.name, 0, card.bytes)
    listing = _list(HubName(hub.repo, hub.revision))
    names = [n for n in listing.files if any(fnmatchcase(n, pattern) for pattern in hub.patterns)]
    yield from _fetch(card.name, listing, names, home)
    _mark(_folder(hub.repo, hub.revision, home))
    yield Progress(card.name, card.bytes, card.bytes)


def pull_published(wanted: HubName, home: Path) -> Iterator[Progress]:
    """Get a published perceptor or pipeline and write its card, `HOME/models/SLUG/card.toml`.

    Raises:
        UnknownModel: no such model or revision on the hub.
        Unsupported: neither CLIP nor SigLIP, nor a pipeline that phosphene knows.
        WeightsError: no network, no safetensors, or damaged; see also `fetch_snapshot`.
    """
    listing = _list(wanted)
    is_pipeline = pipelines.MODEL_INDEX in listing.files
    if not is_pipeline:
        listing = _with_safetensors(listing, wanted)
    # which model it is, and in which files, is known before the large ones are fetched
    first = (pipelines.MODEL_INDEX,) if is_pipeline else (CONFIG_FILE, INDEX_FILE)
    deque(_fetch(wanted.slug, listing, [n for n in first if n in listing.files], home), maxlen=0)
    folder = _folder(listing.repo, listing.commit, home)
    files_of = _pipeline_files if is_pipeline else _perceptor_files
    names = files_of(wanted, listing, folder)
    yield from _fetch(wanted.slug, listing, names, home)
    card = _card_of(wanted, listing, names, folder)
    _mark(folder)
    register(card, home)
    yield Progress(card.name, card.bytes, card.bytes)


def _perceptor_files(wanted: HubName, listing: Listing, folder: Path) -> list[str]:
    published.check_type(folder, str(wanted))
    weights = [WEIGHTS_FILE]
    if WEIGHTS_FILE not in listing.files:
        weights = published.parts_of(folder / INDEX_FILE)
    small = [n for n in listing.files if any(fnmatchcase(n, p) for p in SMALL_FILES)]
    return weights + sorted(n for n in small if "/" not in n)


def _pipeline_files(wanted: HubName, listing: Listing, folder: Path) -> list[str]:
    pipelines.check_class(folder, str(wanted))
    return pipelines.needed(folder, listing.files)


def _card_of(wanted: HubName, listing: Listing, names: list[str], folder: Path) -> Card:
    if pipelines.MODEL_INDEX in names:
        kind, said = "pipeline", pipelines.describe(folder, listing.repo)
    else:
        kind, said = "perceptor", published.describe(folder)
    fields = {**said, **listing.notes}
    fields["source"] += f"; huggingface.co/{listing.repo}"
    return Card(
        name=wanted.slug,
        summary=f"the published {kind} {listing.repo}",
        sha256=pipelines.weights_sha256(folder),
        hub=Hub(repo=listing.repo, revision=listing.commit, patterns=tuple(names)),
        **fields,
    )


def _list(wanted: HubName) -> Listing:
    """Ask the hub what a repository holds."""
    from huggingface_hub import HfApi

    with _hub_errors(wanted):
        info = HfApi().model_info(
            wanted.repo, revision=wanted.revision, files_metadata=True, timeout=TIMEOUT_SECONDS
        )
        files = {s.rfilename: _remote(s) for s in info.siblings or () if _inside(s.rfilename)}
        notes = vars(info.card_data) if info.card_data is not None else {}
    if not re.fullmatch(r"[0-9a-f]{40}", info.sha or ""):
        raise WeightsError(f"the hub names no commit of {str(wanted)!r}; try again later")
    data = notes.get("datasets") or "not stated"
    stated = {
        "licence": _line(notes.get("license") or "not stated"),
        "trained_on": _line(", ".join(map(str, data)) if isinstance(data, list) else data),
    }
    return Listing(wanted.repo, str(info.sha), files, stated)


def _remote(sibling: Any) -> Remote:
    lfs = sibling.lfs
    return Remote(sibling.size or 0, None) if lfs is None else Remote(lfs.size, lfs.sha256)


def _inside(name: str) -> bool:
    """Whether a file's name stays in its folder, on every system."""
    return not set(name) & set("\\:\0") and not {"", ".", ".."} & set(name.split("/"))


def _with_safetensors(listing: Listing, wanted: HubName) -> Listing:
    """Where authors left pickles only: the revision in which the hub's bot converted them."""
    if {WEIGHTS_FILE, INDEX_FILE} & listing.files.keys():
        return listing
    if wanted.revision is None and (reference := _conversion(wanted)) is not None:
        converted = _list(HubName(wanted.repo, reference))
        if WEIGHTS_FILE in converted.files:
            return converted
    raise WeightsError(
        f"{str(wanted)!r} holds no {WEIGHTS_FILE} on the hub, and pickles are not fetched; "
        f"name a revision that has it: `phosphene models pull {wanted.repo}@refs/pr/NUMBER`"
    )


def _conversion(wanted: HubName) -> str | None:
    from huggingface_hub import HfApi

    with _hub_errors(wanted):
        requests = HfApi().get_repo_discussions(
            wanted.repo, author=CONVERTER, discussion_type="pull_request", discussion_status="open"
        )
        # who wrote it is checked here too: anybody can open a request under any title
        numbers = [r.num for r in requests if r.author == CONVERTER and "safetensors" in r.title]
    return f"refs/pr/{max(numbers)}" if numbers else None


def _fetch(label: str, listing: Listing, names: list[str], home: Path) -> Iterator[Progress]:
    """Get files of a repository that are not here yet."""
    if strangers := sorted(set(names) - listing.files.keys()):
        raise CheckpointError(
            f"{listing.repo!r} promises {strangers[0]!r} and does not hold it; try another revision"
        )
    folder = make_folder(_folder(listing.repo, listing.commit, home))
    missing = [name for name in names if not (folder / name).is_file()]
    total = sum(listing.files[name].size for name in missing)
    check_space(folder, total)
    done = 0
    for name in missing:
        remote = listing.files[name]
        yield Progress(label, done, total + 1)  # the last word is the caller's
        if remote.sha256 is None:
            _fetch_small(listing, name, home)
        else:
            for step in _fetch_large(label, listing, name, folder):
                yield Progress(label, done + step.done, total + 1)
        done += remote.size


def _fetch_large(label: str, listing: Listing, name: str, folder: Path) -> Iterator[Progress]:
    remote = listing.files[name]
    url, address = _addresses(listing, name)
    make_folder((folder / name).parent)
    try:
        wanted = Wanted(label, address, remote.sha256 or "", remote.size)
        yield from download(wanted, folder / name)
    except WeightsError as error:  # a signed address is long, and nobody else's business
        raise type(error)(str(error).replace(address, url)) from None


def _fetch_small(listing: Listing, name: str, home: Path) -> None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils.tqdm import disable_progress_bars

    at = HubName(listing.repo, listing.commit)
    with _hub_errors(at), disable_progress_bars():
        hf_hub_download(listing.repo, name, revision=listing.commit, cache_dir=home / "hub")


def _addresses(listing: Listing, name: str) -> tuple[str, str]:
    """A large file's address for people, and where it really lies, signed for who may read it."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    with _hub_errors(HubName(listing.repo, listing.commit)):
        url = hf_hub_url(listing.repo, name, revision=listing.commit)
        return url, get_hf_file_metadata(url, timeout=TIMEOUT_SECONDS).location


@contextmanager
def _hub_errors(wanted: HubName) -> Iterator[None]:
    """Turn what the hub's client raises, anything from OSError to its own kinds, into one line."""
    from huggingface_hub import errors

    again = f"`phosphene models pull {wanted}`"
    try:
        yield
    except PhospheneError:
        raise
    except errors.GatedRepoError:
        raise WeightsError(
            f"{wanted.repo!r} is only for those who agree to its terms: do so at "
            f"https://huggingface.co/{wanted.repo}, `hf auth login`, then {again}"
        ) from None
    except errors.RepositoryNotFoundError:
        raise UnknownModel(
            f"no model {wanted.repo!r} on the hub, or a private one; check the name"
        ) from None
    except errors.RevisionNotFoundError:
        raise UnknownModel(
            f"the model {wanted.repo!r} has no revision {wanted.revision!r}; check it"
        ) from None
    except errors.OfflineModeIsEnabled:
        raise WeightsError(
            f"cannot fetch {str(wanted)!r}: HF_HUB_OFFLINE forbids it; unset it, then {again}"
        ) from None
    except Exception as error:
        reason = _line(str(error) or type(error).__name__)[:200]
        raise WeightsError(
            f"cannot fetch {str(wanted)!r} from the hub: {reason}; check the network and {again}"
        ) from None


def _line(text: object) -> str:
    return " ".join(str(text).split())[:300] or "not stated"


def _folder(repo: str, commit: str, home: Path) -> Path:
    return home / "hub" / f"models--{repo.replace('/', '--')}" / "snapshots" / commit


def _marker(folder: Path) -> Path:
    return folder.parent.parent / f"complete-{folder.name}"


def _mark(folder: Path) -> None:
    if not any(folder.iterdir()):
        raise CheckpointError(f"nothing came for {str(folder)!r}; its card names no files")
    try:
        _marker(folder).touch()
    except OSError as error:
        raise storage_error(_marker(folder), error) from None
