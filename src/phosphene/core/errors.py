"""Every error phosphene raises on purpose, as one tree. Knows no other module.

    PhospheneError                    exit code 1
      RecipeError (also ValueError)   exit code 2: the request cannot be carried out as written
        UnknownModel                  no card of that name
        LatentMismatch                a latent meets a model it does not belong to
        Unsupported                   the model lacks what the request needs
        ImageError                    a picture cannot be read, or is too large
        NotFound                      no job, picture or collection of that id
        WrongState                    it cannot become what is asked for from what it is
        TooMany                       the queue is full
      WeightsError                    a weight file cannot be used
        HashMismatch                  its sha256 is not the card's
        CheckpointError               it is truncated, malformed or of another architecture
        UnsafeModel                   it asks for code to be run
      DeviceError                     no such device, or it ran out of memory
      StorageError                    disk full, folder not writable
      MissingTool                     an optional program or package is not installed
      ProcessFailed                   another process of the same run failed
      Diverged                        a training died: numbers not finite, or a GAN collapsed

A message says what happened, the value seen, and what to do, in one line.
"""

import difflib
from collections.abc import Iterable


class PhospheneError(Exception):
    """Root of all deliberate errors; `exit_code` is what the command line returns."""

    exit_code = 1


class RecipeError(PhospheneError, ValueError):
    """The request cannot be carried out as written; the user can change it."""

    exit_code = 2


class UnknownModel(RecipeError):
    """No card of that name."""


class LatentMismatch(RecipeError):
    """A latent meets a model, or another latent, it does not belong to."""


class Unsupported(RecipeError):
    """The model lacks what the request needs."""


class ImageError(RecipeError):
    """A picture cannot be read, is too large, or carries no recipe."""


class NotFound(RecipeError):
    """No job, picture or collection of that id."""


class WrongState(RecipeError):
    """It cannot become what is asked for from what it is, as a finished job cannot be paused."""


class TooMany(RecipeError):
    """The queue is full; later there may be room."""


class WeightsError(PhospheneError):
    """A weight file cannot be used."""


class HashMismatch(WeightsError):
    """A file's sha256 is not the one its card promises."""


class CheckpointError(WeightsError):
    """A weight file is truncated, malformed or of another architecture."""


class UnsafeModel(WeightsError):
    """A weight file asks for code to be run; phosphene refuses."""


class DeviceError(PhospheneError):
    """No such device, or it ran out of memory."""


class StorageError(PhospheneError):
    """The disk is full or a folder cannot be written."""


class MissingTool(PhospheneError):
    """An optional program or package is not installed."""


class ProcessFailed(PhospheneError):
    """Another process of the same run failed."""


class Diverged(PhospheneError):
    """A training died: numbers stopped being finite, or a GAN collapsed."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest known name, or an empty string."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
