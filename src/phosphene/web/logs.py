"""How logs are written: for people, or as one JSON object a line. No line holds what was asked for.

Of other libraries' records only what they cannot have from a request is written: their own words,
with numbers, if they are uvicorn's; else where in the code they came from. Of an error its type
and its place are written, not its text, which may quote a prompt.
"""

import json
import logging
import os
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from io import TextIOBase
from pathlib import Path
from types import TracebackType
from typing import Any

OURS, SERVER = "phosphene", "uvicorn"
FIELDS = "fields"
HIDDEN = "…"
NUM_PARTS = 3  # of a path, that tell which file it is
MAX_FRAMES = 40

log = logging.getLogger("phosphene.web")


class Style(StrEnum):
    """A form of logs."""

    TEXT = "text"
    JSON = "json"


def fields(**values: object) -> dict[str, dict[str, object]]:
    """What a record of ours says besides its event, as `extra` of a call to a logger.

    Args:
        values: Nothing that comes out of a recipe, a URL or a header.
    """
    return {FIELDS: values}


def entry_of(record: logging.LogRecord) -> dict[str, Any]:
    """What is written of a record."""
    moment = datetime.fromtimestamp(record.created, UTC)
    entry: dict[str, Any] = {
        "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
    }
    origin = record.name.partition(".")[0]
    if origin == OURS:
        entry |= {"event": str(record.msg), **getattr(record, FIELDS, {})}
    else:
        place = f"{_short(record.pathname)}:{record.lineno}"
        entry |= {"event": _own_words(record) if origin == SERVER else "record of a library"}
        entry |= {"logger": record.name, "at": place}
    if record.exc_info and record.exc_info[1] is not None:
        entry["errors"] = errors_of(record.exc_info[1])
    return entry


def errors_of(error: BaseException) -> list[dict[str, Any]]:
    """Type and place of an error, then those of what caused it."""
    found: list[dict[str, Any]] = []
    following: BaseException | None = error
    while following is not None and len(found) < MAX_FRAMES:
        found.append({"type": type(following).__name__, "frames": _frames(following.__traceback__)})
        is_hidden = following.__suppress_context__
        following = following.__cause__ or (None if is_hidden else following.__context__)
    return found


def _frames(trace: TracebackType | None) -> list[str]:
    found = []
    while trace is not None:
        code = trace.tb_frame.f_code
        found.append(f"{_short(code.co_filename)}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return found[-MAX_FRAMES:]


def _short(path: str) -> str:
    return "/".join(Path(path).parts[-NUM_PARTS:])


def _own_words(record: logging.LogRecord) -> str:
    """A message with the numbers that belong into it, and nothing else."""
    if not isinstance(record.msg, str):
        return type(record.msg).__name__
    words = record.msg.strip()
    if not isinstance(record.args, tuple) or not record.args:
        return words
    shown = tuple(a if isinstance(a, int | float) else HIDDEN for a in record.args)
    try:
        return words % shown
    except (TypeError, ValueError):  # a number is wanted where there is none
        return words


class JsonFormatter(logging.Formatter):
    """One JSON object a record: time (RFC 3339, UTC), level, event, and what else is known."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        return json.dumps(entry_of(record), ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """The same for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        entry = entry_of(record)
        errors = entry.pop("errors", [])
        level, event = entry["level"].upper(), entry["event"]
        rest = [f"{k}={v}" for k, v in entry.items() if k not in ("time", "level", "event")]
        lines = [f"{level}: {event}" + (f" ({', '.join(rest)})" if rest else "")]
        for error in errors:
            lines += [*(f"  {frame}" for frame in error["frames"]), f"  {error['type']}"]
        return "\n".join(lines)


def set_up(style: Style, stream: TextIOBase | None = None) -> None:
    """Write the records of all loggers of this process in a style.

    As text, what went wrong; as JSON, also what was asked for and what became of it.

    Args:
        stream: None is standard error.
    """
    is_json = style is Style.JSON
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if is_json else TextFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in (OURS, SERVER):
        logging.getLogger(name).setLevel(logging.INFO if is_json else logging.WARNING)
    if is_json:
        logging.captureWarnings(True)
        threading.excepthook = _report


def _report(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_value is not None:
        log.error("thread failed", exc_info=failed.exc_value)


def logged(run: Callable[..., None], *arguments: object) -> None:
    """Run what a process of ours runs, with its records as JSON, and nothing else from it.

    What libraries write to standard error themselves is no JSON, and may quote a prompt.
    """
    ours = os.fdopen(os.dup(sys.__stderr__.fileno() if sys.__stderr__ else 2), "w", buffering=1)
    hole = os.open(os.devnull, os.O_WRONLY)
    os.dup2(hole, 2)
    os.close(hole)
    set_up(Style.JSON, ours)
    try:
        run(*arguments)
    except Exception:
        log.exception("process failed")
        raise
