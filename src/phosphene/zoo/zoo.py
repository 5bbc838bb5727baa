"""The zoo: give it a name, get a ready model. Imports torch only when a model is loaded."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phosphene.core.checksum import check_sha256
from phosphene.core.errors import CheckpointError, DeviceError, WeightsError
from phosphene.zoo import fetch, pipelines, published, registry
from phosphene.zoo.builders import OPENS_FOLDER, builder
from phosphene.zoo.card import Card
from phosphene.zoo.carrier import Location, WheelMember, opened
from phosphene.zoo.download import Progress

if TYPE_CHECKING:
    import torch
    from torch import Tensor

PICKLED = (".pth", ".pt", ".bin", ".ckpt", ".tar")
PART_KEY = "part"  # of a card's config: which state dict of a pickled checkpoint


@dataclass
class Zoo:
    """Loads models by name and keeps them, so that each is loaded once.

    Args:
        home: Where fetched and converted models live; see `registry.home`.
        device: Where models go unless `load` says otherwise.
    """

    home: Path = field(default_factory=registry.home)
    device: "str | torch.device" = "cpu"
    _loaded: dict[tuple[object, ...], Any] = field(default_factory=dict, repr=False)

    def cards(self) -> list[Card]:
        """Return the cards of all models this zoo knows."""
        return registry.cards(self.home)

    def card(self, name: str) -> Card:
        """Return a model's card; see `registry.card` for the errors."""
        return registry.card(name, self.home)

    def pull(self, name: str) -> Iterator[Progress]:
        """Fetch a model's weights and those it needs; see `fetch.pull` for the errors."""
        return fetch.pull(name, self.home)

    def load(
        self,
        name: str,
        device: "str | torch.device | None" = None,
        dtype: "torch.dtype | None" = None,
    ) -> Any:
        """Return a ready model: the same object for the same name, device and dtype.

        It never touches the network.

        Args:
            name: A card's name, or the path of a weight file or folder.
            dtype: What its parameters are cast to; None leaves them as the builder made them.
        Raises:
            UnknownModel: no such name or path.
            WeightsError: the weights are not here, damaged or of another architecture.
            Unsupported: no builder for this kind of model.
            DeviceError: no such device, or it is full.
        """
        place = _device(device if device is not None else self.device)
        found = self.card(name)
        key = (found.name, _identity(found, self.home), str(place), dtype)
        if key not in self._loaded:
            shelf = CardShelf(self, found, place, dtype)
            build = builder(found.family, found.arch)
            tensors, config = shelf.weights()
            model = build(tensors, {**found.config, **config}, shelf)
            self._loaded[key] = _moved(model, place, dtype)
        return self._loaded[key]


@dataclass(frozen=True)
class CardShelf:
    """What a builder may reach: the card's own files and the models it is made of."""

    zoo: Zoo
    card: Card
    device: "torch.device"
    dtype: "torch.dtype | None"

    def model(self, name: str) -> Any:
        """Return another model of the same zoo, placed and cast as the one being built.

        The zoo shares it with others; so it must be where the whole will be moved to already.
        """
        return self.zoo.load(name, self.device, self.dtype)

    def read(self, file_name: str) -> bytes:
        """Return a file beside the weights.

        Raises:
            WeightsError: missing or unreadable.
        """
        if Path(file_name).name != file_name:
            raise WeightsError(f"{file_name!r} is not a plain file name")
        with opened(self._folder() / file_name) as (file, size):
            return file.read(size)

    def folder(self) -> Path:
        """Return the real folder that holds the weights.

        Raises:
            WeightsError: they lie inside a wheel.
        """
        folder = self._folder()
        if isinstance(folder, WheelMember):
            raise WeightsError(f"the weights of {self.card.name!r} lie in a wheel, not in a folder")
        return folder

    def weights(self) -> "tuple[dict[str, Tensor], dict[str, Any]]":
        """Return the tensors and the config written with them, after checking the sha256.

        Raises:
            HashMismatch: not the file its card promises.
            WeightsError: missing, damaged, or a pickle whose hash no card vouches for.
        """
        from phosphene.core.weights import read_stream

        carrier = fetch.located(self.card, self.zoo.home)
        if self.card.sha256 is not None:
            path = carrier.wheel if isinstance(carrier, WheelMember) else carrier
            check_sha256(pipelines.weights_sha256(path), self.card.sha256, str(path))
        files_of = OPENS_FOLDER.get((self.card.family, self.card.arch))
        if files_of is not None:
            published.count_parameters(files_of(self.folder()))  # checks headers
            return {}, {}
        location = _weight_file(carrier)
        if location is None:
            return {}, {}
        with opened(location) as (file, size):
            if not location.name.endswith(PICKLED):
                return read_stream(file, size, str(location))
            if self.card.sha256 is None:
                raise CheckpointError(
                    f"{str(location)!r} is a pickle; use `phosphene models convert`"
                )
            from phosphene.zoo.pickled import read_tensors

            part = self.card.config.get(PART_KEY)
            wanted = part if isinstance(part, str) else None
            return read_tensors(file.read(size), str(location), wanted), {}

    def _folder(self) -> Location:
        carrier = fetch.located(self.card, self.zoo.home)
        return carrier.parent if _is_file(carrier) else carrier


def _is_file(location: Location) -> bool:
    return location.is_file()


def _weight_file(carrier: Location) -> Location | None:
    if _is_file(carrier):
        return carrier
    inside = carrier / registry.WEIGHTS_FILE
    return inside if _is_file(inside) else None


def _identity(card: Card, home: Path) -> tuple[object, ...]:
    """What must be equal for a loaded model to be used again: a file that changed is read anew."""
    files = fetch.beside(card, home)
    if card.file is not None:
        files.append(Path(str(fetch.located(card, home))))
    files_of = OPENS_FOLDER.get((card.family, card.arch))
    if files_of is not None and card.file is not None:
        files += files_of(files[-1].parent)
    states = [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files]
    return (card.sha256, card.origin, repr(card.config), *states)


def _device(name: "str | torch.device") -> "torch.device":
    import torch

    try:
        device = torch.device(name)
    except RuntimeError:
        raise DeviceError(
            f"unknown device {str(name)[:40]!r}; use cpu, cuda, cuda:1 or mps"
        ) from None
    missing = (device.type == "cuda" and not torch.cuda.is_available()) or (
        device.type == "mps" and not torch.backends.mps.is_available()
    )
    if missing:
        raise DeviceError(f"this machine has no {device.type!r} device; use cpu")
    return device


def _moved(model: Any, device: "torch.device", dtype: "torch.dtype | None") -> Any:
    """Move and cast a model that is a torch module; leave others to themselves."""
    from torch import nn

    if not isinstance(model, nn.Module):
        return model
    with _memory_named(device):
        return model.to(device=device, dtype=dtype)


@contextmanager
def _memory_named(device: "torch.device") -> Iterator[None]:
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        line = " ".join(str(error).split())[:200]
        raise DeviceError(f"cannot move the model to {str(device)!r}: {line}") from None
