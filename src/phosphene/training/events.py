"""A run's scalars and sample sheets as TensorBoard reads them: `tensorboard --logdir runs/`.

One event file a run, beside metrics.jsonl. A run that goes on from its checkpoint first drops what
was written after it, so that no reader, whichever it is, sees a step twice.

The format is that of TFRecord: each record is its length (8 bytes, little-endian), a checksum of
that (4), the event as protobuf, and a checksum of the event (4).
"""

import importlib.util
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from phosphene.core.errors import MissingTool
from phosphene.core.files import storage_error, write_bytes

PATTERN = "events.out.tfevents.*.phosphene"
LENGTH, CHECKSUM = 8, 4  # bytes
VERSION = "brain.Event:2"


def has_tensorboard() -> bool:
    """Whether the package that writes event files is installed."""
    return importlib.util.find_spec("tensorboard") is not None


class Events:
    """The event file of a run's folder, from a step on.

    Each record is with the system when the call returns, so that a kill loses none of them.

    Args:
        folder: The run's.
        start: Steps done: what the folder's events say of later ones is dropped.
    Raises:
        MissingTool: tensorboard is not installed.
        StorageError: the folder cannot be written.
    """

    def __init__(self, folder: Path, start: int) -> None:
        if not has_tensorboard():
            raise MissingTool("event files need the package tensorboard; pip install tensorboard")
        self.path = _kept(folder, start)
        try:
            self._file = self.path.open("ab", buffering=0)
        except OSError as error:
            raise storage_error(self.path, error) from None

    def scalars(self, step: int, scalars: Mapping[str, float]) -> None:
        """Note the numbers after so many steps."""
        values = [{"tag": name, "simple_value": value} for name, value in scalars.items()]
        self._write(step, values)

    def sheet(self, step: int, png: bytes, shape: Sequence[int]) -> None:
        """Note a sample sheet, encoded as PNG; its shape is (c, h, w)."""
        channels, height, width = shape
        image = {"width": width, "height": height, "colorspace": channels}
        self._write(step, [{"tag": "sheet", "image": {**image, "encoded_image_string": png}}])

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _write(self, step: int, values: list[dict[str, Any]]) -> None:
        try:
            self._file.write(_record(step=step, summary={"value": values}))
        except OSError as error:
            raise storage_error(self.path, error) from None


def _record(**fields: Any) -> bytes:
    """An event of this moment, framed and with its checksums."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

    data: bytes = Event(wall_time=time.time(), **fields).SerializeToString()
    length = struct.pack("<Q", len(data))
    sums = (struct.pack("<I", masked_crc32c(part)) for part in (length, data))
    return b"".join([length, next(sums), data, next(sums)])


def _kept(folder: Path, start: int) -> Path:
    """The file to go on with: without what lies after step `start`, or cut short by a kill.

    If anything must go, what stays is written under a new name: a TensorBoard that is watching has
    the old file open and would not see the new one in its place.
    """
    old = sorted(folder.glob(PATTERN))
    found = [path.read_bytes() for path in old]
    kept = b"".join(record for data in found for step, record in _records(data) if step <= start)
    if len(old) == 1 and kept == found[0]:
        return old[0]
    begun = max([int(time.time()), *(int(path.name.split(".")[3]) + 1 for path in old)])
    path = folder / f"events.out.tfevents.{begun:010d}.phosphene"
    write_bytes(path, kept or _record(file_version=VERSION))
    for gone in old:
        gone.unlink()
    return path


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The whole records of a file, each with its step."""
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto.event_pb2 import Event

    begin = 0
    while len(data) >= begin + LENGTH:
        (length,) = struct.unpack_from("<Q", data, begin)
        body = begin + LENGTH + CHECKSUM
        end = body + length + CHECKSUM
        if end > len(data):
            return
        try:
            step = Event.FromString(data[body : body + length]).step
        except DecodeError:
            return
        yield step, data[begin:end]
        begin = end
