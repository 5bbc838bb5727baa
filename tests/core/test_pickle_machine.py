"""The pickle machine: the same values as Python's own, and nothing else."""

import collections
import io
import os
import pickle
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phosphene.core import pickle_machine
from phosphene.core.errors import CheckpointError, UnsafeModel
from phosphene.core.pickle_machine import Unknown, Vocabulary, read_pickle

PLAIN = Vocabulary({})
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
)
KEYS = st.text(max_size=8) | st.integers(-(2**59), 2**59) | st.none() | st.booleans()
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=12,
)


def read(data: bytes, vocabulary: Vocabulary = PLAIN) -> object:
    return read_pickle(io.BytesIO(data), len(data), "x.ckpt", vocabulary)


@given(VALUES, st.integers(0, pickle.HIGHEST_PROTOCOL))
@settings(max_examples=60, deadline=None)
def test_reads_what_pickle_reads(value: object, protocol: int) -> None:
    assert read(pickle.dumps(value, protocol)) == value


@given(st.sets(st.text(max_size=4)), st.binary(max_size=300))
@settings(max_examples=20, deadline=None)
def test_sets_and_bytes(items: set[str], data: bytes) -> None:
    value = [items, frozenset(items), data]
    assert read(pickle.dumps(value, 4)) == value
    assert read(pickle.dumps(data, 3)) == data


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_noise_never_does_more_than_fail(data: bytes) -> None:
    assert "\n" not in complaint(data)


def complaint(data: bytes) -> str:
    try:
        read(data)
    except (CheckpointError, UnsafeModel) as error:
        return str(error)
    return ""


def test_stops_at_the_end_of_one_pickle() -> None:
    file = io.BytesIO(pickle.dumps([1, 2]) + pickle.dumps("next") + b"rest")
    assert read_pickle(file, 100, "x", PLAIN) == [1, 2]
    assert read_pickle(file, 100, "x", PLAIN) == "next"
    assert file.read() == b"rest"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_shared_and_circular(protocol: int) -> None:
    shared = ["shared"]
    value: list[object] = [shared, shared]
    value.append(value)
    found = read(pickle.dumps(value, protocol))
    assert isinstance(found, list)
    assert found[0] == shared
    assert found[0] is found[1]
    assert found[2] is found


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_names_stay_names(protocol: int) -> None:
    name = "posix.system" if os.name == "posix" else "nt.system"
    assert read(pickle.dumps([os.system, Path], protocol)) == [Unknown(name), Unknown(_name(Path))]


def _name(class_: type) -> str:
    return f"{class_.__module__}.{class_.__qualname__}"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_call_is_looked_up_never_made(protocol: int) -> None:
    data = pickle.dumps(collections.Counter("aab"), protocol)
    with pytest.raises(UnsafeModel, match=r"'x\.ckpt' asks to run 'collections\.Counter'"):
        read(data)
    assert read(data, Vocabulary({}, frozenset({"collections.Counter"}))) == Unknown(
        "collections.Counter"
    )
    count = Vocabulary({"collections.Counter": lambda counts: counts})
    assert read(data, count) == {"a": 2, "b": 1}


def test_outside_references_go_to_the_vocabulary() -> None:
    class Pickler(pickle.Pickler):
        def persistent_id(self, obj: object) -> object:
            return ("thing", 7) if isinstance(obj, Path) else None

    buffer = io.BytesIO()
    Pickler(buffer, 2).dump([Path()])
    found = read(buffer.getvalue(), Vocabulary({}, persistent=lambda reference: reference[1]))
    assert found == [7]
    with pytest.raises(CheckpointError, match="outside"):
        read(buffer.getvalue())


def test_attributes_of_a_table_are_forgotten() -> None:
    program = b"\x80\x02cm\nTable\n)\x81}X\x01\x00\x00\x00aK\x01sb."  # NEWOBJ, BUILD {"a": 1}
    assert read(program, Vocabulary({"m.Table": dict})) == {}
    assert read(program, Vocabulary({}, frozenset({"m.Table"}))) == Unknown("m.Table")
    with pytest.raises(UnsafeModel, match="set attributes of 'list'"):
        read(program, Vocabulary({"m.Table": list}))
    with pytest.raises(UnsafeModel, match=r"set attributes of 'm\.Table'"):
        read(b"\x80\x02cm\nTable\n}b.")


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (b"\x80\x02](K\x01K\x02u.", "SETITEMS on something else"),
        (b"\x80\x02}K\x01a.", "APPEND on something else"),
        (b"\x80\x02e.", "pop from empty list"),
        (b"\x80\x02K\x01)R.", "not a function"),
        (b"\x80\x02h\x09.", "a reference to nothing"),
        (b"\x80\x02K\x01", "not enough data|exhausted"),
        (b"\x80\x02K\x01K\x01\x87.", "a tuple of more than there is"),
        (b"\x80\x04K\x01K\x02\x93.", "not named by texts"),
        (b"\x80\x02}G\x00\x00\x00\x00\x00\x00\x00\x00K\x01s.", "a key of type float"),
        (b"\x80\x02})K\x01s.", "a key of type tuple"),
        (b"\x80\x02}\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01K\x01s.", "a key of type int"),
        (b"\xff", "unknown"),
        (b"", "exhausted"),
    ],
)
def test_damage_is_named(program: bytes, reason: str) -> None:
    with pytest.raises(CheckpointError, match=reason):
        read(program)


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pickle.dumps(list(range(1000)), 2)
    with pytest.raises(CheckpointError, match="damaged"):
        read_pickle(io.BytesIO(data), 500, "x", PLAIN)
    monkeypatch.setattr(pickle_machine, "MAX_STEPS", 1000)
    with pytest.raises(CheckpointError, match="more than 1,000 steps"):
        read(data)
