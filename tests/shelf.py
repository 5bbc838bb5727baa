"""What a builder is given when it needs nothing besides its own tensors."""

from pathlib import Path

import torch


class NoShelf:
    """A `Shelf` that may not be asked for anything."""

    device = torch.device("cpu")
    dtype = None

    def model(self, name: str) -> object:
        raise AssertionError(name)

    def read(self, file_name: str) -> bytes:
        raise AssertionError(file_name)

    def folder(self) -> Path:
        raise AssertionError
