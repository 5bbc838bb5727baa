"""What decides pixels besides the recipe, told by hashes: weights, pictures, precision."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from torch import nn

from phosphene.core.checksum import sha256_of
from phosphene.core.errors import ImageError
from phosphene.zoo import Zoo
from phosphene.zoo.fetch import beside, identity, with_needs


def dtype_of(model: object) -> str:
    """Name of what a model's parameters are kept in; "none" where it has none."""
    dtypes = [str(p.dtype) for p in model.parameters()] if isinstance(model, nn.Module) else []
    return (dtypes[0] if dtypes else "none").removeprefix("torch.")


def model_hashes(names: Iterable[str], zoo: Zoo) -> dict[str, str]:
    """Sha256 of each model's weights, of files beside them that shape it, and of its parts."""
    hashes: dict[str, str] = {}
    for name in names:
        for card in with_needs(zoo.card(name), zoo.home):
            own = name if card.name == zoo.card(name).name else card.name
            hashes[own] = identity(card, zoo.home)
            hashes |= {f"{own}/{path.name}": sha256_of(path) for path in beside(card, zoo.home)}
    return hashes


def input_hashes(paths: Iterable[str]) -> dict[str, str]:
    """Sha256 of each picture that is read, by its path."""
    hashes = {}
    for path in paths:
        try:
            hashes[path] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        except OSError as error:
            raise ImageError(f"cannot read {path!r}: {error.strerror}") from None
    return hashes
