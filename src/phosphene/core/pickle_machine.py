"""Pickles read as data: a machine that follows a pickle's steps and executes nothing.

A pickle is a program for a small stack machine; Python's own machine imports and calls whatever
the file names. This one never imports: a name becomes an `Unknown`, and "calling" it looks the
name up in a table the caller gives. What the table does not hold is refused. Opcodes and their
arguments are decoded by the standard library's `pickletools`, which runs nothing either.

Knows no torch. Limits keep a hostile file from costing time or memory; see `MAX_STEPS`.
"""

import io
import pickletools
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BufferedIOBase
from typing import Any

from phosphene.core.errors import CheckpointError, UnsafeModel

MAX_STEPS = 1_000_000  # a few seconds; enough for 20,000 tensors, and published ones hold 3,000
MAX_KEY = 2**60  # integers beyond 2^61 - 1 can be chosen to collide in a dict, which takes forever

Call = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Unknown:
    """A class or function that a pickle names: the name alone, never imported or called."""

    name: str


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a pickle may do beyond plain Python values.

    Args:
        calls: Names it may call, and what is done instead.
        inert: Names it may call to no effect: the result is the `Unknown` itself.
        persistent: What an outside reference (a storage, in torch's files) becomes.
    """

    calls: Mapping[str, Call]
    inert: frozenset[str] = frozenset()
    persistent: Callable[[Any], Any] | None = None


def read_pickle(file: BufferedIOBase, max_bytes: int, source: str, vocabulary: Vocabulary) -> Any:
    """Read one pickle from an open file, leaving it at the first byte after.

    Args:
        max_bytes: At most so many bytes are read.
        source: Name of the file, for messages.
    Returns:
        Numbers, texts, bytes, None, lists, tuples, sets and dicts, what `calls` made, and
        `Unknown`s. Containers may be shared and may hold themselves.
    Raises:
        UnsafeModel: it calls, or sets attributes of, something outside the vocabulary.
        CheckpointError: damaged, truncated or beyond the limits.
    """
    start = file.tell()
    # In memory, a step that claims 2^40 bytes gets what there is; a real file would allocate them.
    steps = io.BytesIO(file.read(max_bytes))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an old text pickle may hold odd escapes
            value = _Machine(source, vocabulary).run(pickletools.genops(steps))
    except (ValueError, IndexError, OverflowError, TypeError) as error:
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise CheckpointError(f"{source!r} holds a damaged pickle: {reason}") from None
    file.seek(start + steps.tell())
    return value


class _Machine:
    """The stack, the memo, and a method for each opcode that is not a plain value."""

    def __init__(self, source: str, vocabulary: Vocabulary) -> None:
        self.source = source
        self.vocabulary = vocabulary
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self, steps: Iterator[tuple[pickletools.OpcodeInfo, Any, int | None]]) -> Any:
        for count, (opcode, argument, _) in enumerate(steps):
            if count >= MAX_STEPS:
                raise CheckpointError(
                    f"{self.source!r} holds a pickle of more than {MAX_STEPS:,} steps; not read"
                )
            name = opcode.name
            if name in _VALUES:
                self.stack.append(argument)
            elif name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name])
            elif name == "STOP":
                return self.stack.pop()
            elif name in _STEPS:
                _STEPS[name](self, argument)
            elif name not in _IGNORED:
                raise UnsafeModel(
                    f"{self.source!r} holds a pickle with the instruction {name}, which no "
                    "checkpoint needs; refused"
                )
        raise ValueError("it has no end")

    def above_mark(self) -> list[Any]:
        """Take what was pushed since the last mark."""
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def top(self, kind: type, step: str) -> Any:
        """The container on top of the stack."""
        if not isinstance(self.stack[-1], kind):
            raise ValueError(f"{step} on something else than a {kind.__name__}")
        return self.stack[-1]

    def call(self, function: Any, arguments: Any) -> Any:
        if not isinstance(function, Unknown) or not isinstance(arguments, tuple):
            raise ValueError("a call of something that is not a function")
        if function.name in self.vocabulary.inert:
            return function
        if function.name not in self.vocabulary.calls:
            raise UnsafeModel(
                f"{self.source!r} asks to run {function.name[:80]!r} when it is loaded; refused: "
                "only tensors and plain values are read"
            )
        return self.vocabulary.calls[function.name](*arguments)

    def mark(self, _: Any) -> None:
        self.marks.append(len(self.stack))

    def pop(self, _: Any) -> None:
        # Python's machine lets POP remove a mark that lies on top.
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self.stack.pop()

    def pop_mark(self, _: Any) -> None:
        self.above_mark()

    def duplicate(self, _: Any) -> None:
        self.stack.append(self.stack[-1])

    def put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def memoize(self, _: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def get(self, index: int) -> None:
        if index not in self.memo:
            raise ValueError("a reference to nothing")
        self.stack.append(self.memo[index])

    def new_list(self, _: Any) -> None:
        self.stack.append([])

    def marked_list(self, _: Any) -> None:
        self.stack.append(self.above_mark())

    def append(self, _: Any) -> None:
        value = self.stack.pop()
        self.top(list, "APPEND").append(value)

    def appends(self, _: Any) -> None:
        values = self.above_mark()
        self.top(list, "APPENDS").extend(values)

    def new_tuple(self, _: Any) -> None:
        self.stack.append(())

    def marked_tuple(self, _: Any) -> None:
        self.stack.append(tuple(self.above_mark()))

    def short_tuple(self, count: int) -> None:
        items = tuple(self.stack[-count:])
        if len(items) < count:
            raise IndexError("a tuple of more than there is")
        self.stack[-count:] = [items]

    def new_dict(self, _: Any) -> None:
        self.stack.append({})

    def marked_dict(self, _: Any) -> None:
        items = self.above_mark()
        self.stack.append({})
        self._set_items(items)

    def set_item(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set_items([key, value])

    def set_items(self, _: Any) -> None:
        self._set_items(self.above_mark())

    def _set_items(self, items: list[Any]) -> None:
        table = self.top(dict, "SETITEMS")
        table.update(zip(map(checked_key, items[::2]), items[1::2], strict=True))

    def new_set(self, _: Any) -> None:
        self.stack.append(set())

    def add_items(self, _: Any) -> None:
        items = self.above_mark()
        self.top(set, "ADDITEMS").update(map(checked_key, items))

    def frozen_set(self, _: Any) -> None:
        self.stack.append(frozenset(map(checked_key, self.above_mark())))

    def global_name(self, argument: str) -> None:
        self.stack.append(Unknown(".".join(argument.split(" ", 1))))

    def stack_global(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise ValueError("a global that is not named by texts")
        self.stack.append(Unknown(f"{module}.{name}"))

    def reduce(self, _: Any) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        self.stack.append(self.call(function, arguments))

    def new_object_ex(self, _: Any) -> None:
        keywords = self.stack.pop()
        if keywords != {}:
            raise UnsafeModel(f"{self.source!r} calls something by keyword; refused")
        self.reduce(None)

    def instance(self, argument: str) -> None:
        arguments = tuple(self.above_mark())
        self.global_name(argument)
        self.stack.append(self.call(self.stack.pop(), arguments))

    def object(self, _: Any) -> None:
        function, *arguments = self.above_mark()
        self.stack.append(self.call(function, tuple(arguments)))

    def build(self, _: Any) -> None:
        self.stack.pop()  # attributes, such as a state dict's `_metadata`: nobody needs them
        target = self.stack[-1]
        inert = isinstance(target, Unknown) and target.name in self.vocabulary.inert
        if not inert and not isinstance(target, dict):
            what = target.name[:80] if isinstance(target, Unknown) else type(target).__name__
            raise UnsafeModel(f"{self.source!r} asks to set attributes of {what!r}; refused")

    def persistent(self, _: Any) -> None:
        if self.vocabulary.persistent is None:
            raise ValueError("a reference to something outside of it")
        self.stack.append(self.vocabulary.persistent(self.stack.pop()))


def checked_key(key: Any) -> Any:
    """Return a key of a dict or set if hashing it is cheap and means what it says.

    Nested tuples can take for ever to hash, and huge integers can be made to collide.

    Raises:
        ValueError: it is of another kind.
    """
    if isinstance(key, str | bytes | Unknown) or key is None:
        return key
    if isinstance(key, int) and abs(key) < MAX_KEY:
        return key
    raise ValueError(f"a key of type {type(key).__name__}")


_VALUES = frozenset(
    {
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
        *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    }
)
_CONSTANTS: Mapping[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_IGNORED = frozenset({"PROTO", "FRAME"})
_STEPS: Mapping[str, Callable[[_Machine, Any], None]] = {
    "MARK": _Machine.mark,
    "POP": _Machine.pop,
    "POP_MARK": _Machine.pop_mark,
    "DUP": _Machine.duplicate,
    "PUT": _Machine.put,
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "MEMOIZE": _Machine.memoize,
    "GET": _Machine.get,
    "BINGET": _Machine.get,
    "LONG_BINGET": _Machine.get,
    "EMPTY_LIST": _Machine.new_list,
    "LIST": _Machine.marked_list,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.appends,
    "EMPTY_TUPLE": _Machine.new_tuple,
    "TUPLE": _Machine.marked_tuple,
    "TUPLE1": lambda machine, _: machine.short_tuple(1),
    "TUPLE2": lambda machine, _: machine.short_tuple(2),
    "TUPLE3": lambda machine, _: machine.short_tuple(3),
    "EMPTY_DICT": _Machine.new_dict,
    "DICT": _Machine.marked_dict,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "EMPTY_SET": _Machine.new_set,
    "ADDITEMS": _Machine.add_items,
    "FROZENSET": _Machine.frozen_set,
    "GLOBAL": _Machine.global_name,
    "STACK_GLOBAL": _Machine.stack_global,
    "REDUCE": _Machine.reduce,
    "NEWOBJ": _Machine.reduce,
    "NEWOBJ_EX": _Machine.new_object_ex,
    "INST": _Machine.instance,
    "OBJ": _Machine.object,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.persistent,
}
