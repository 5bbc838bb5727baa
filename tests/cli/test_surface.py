import pytest
from hypothesis import given
from hypothesis import strategies as st

from phosphene.cli.surface import (
    changes_of,
    check_target,
    describe,
    numbers_of,
    printable,
    watched,
)
from phosphene.core.errors import RecipeError
from phosphene.core.protocols import Step
from phosphene.studio.recipe import Imagine


@given(st.text())
def test_anything_can_be_printed_on_one_line(text):
    shown = printable(text)
    assert shown.isprintable()
    shown.encode()
    assert printable(shown) == shown


def test_what_can_be_printed_stays():
    assert printable("Oregon 💚 画 ü") == "Oregon 💚 画 ü"
    assert printable("a\nb\x1b[2J\udcff") == "a\\nb\\x1b[2J\\udcff"


def steps(count: int, closed: list[bool]):
    try:
        for index in range(count):
            yield Step(index, count, None, {"loss": 0.5 / (index + 1), "picture": 0.0})
    finally:
        closed.append(True)


@pytest.mark.parametrize("count", [1, 3, 250])
def test_without_a_terminal_progress_is_a_few_lines(capsys, count):
    closed = []
    with watched(steps(count, closed), "a\x1bb") as shown:
        assert [step.index for step in shown] == list(range(count))
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert len(lines) <= 11
    assert lines[0].startswith(f"a\\x1bb: 1/{count} loss 0.5")
    assert f"{count}/{count}" in lines[-1]


def test_on_a_terminal_progress_is_a_bar(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    closed = []
    with watched(steps(3, closed), "[red]x[/] 💚") as shown:
        assert len(list(shown)) == 3
    said = capsys.readouterr().err
    assert "[red]x[/] 💚" in said
    assert "3/3" in said
    assert "loss 0.1667" in said


@pytest.mark.parametrize("terminal", [True, False])
def test_steps_are_closed_whatever_happens(capsys, monkeypatch, terminal):
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal, raising=False)
    closed = []

    def stopped() -> None:
        with watched(steps(3, closed), "x") as shown:
            next(shown)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert closed == [True]


def test_numbers():
    scalars = {f"n{i}": 1234.5678 for i in range(9)}
    assert numbers_of(Step(0, 1, None, scalars)) == "  ".join(f"n{i} 1235" for i in range(6))
    assert numbers_of(Step(0, 1)) == ""


@pytest.mark.parametrize("terminal", [True, False])
def test_words_before_the_first_step_are_no_progress(capsys, monkeypatch, terminal):
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal, raising=False)
    told = [Step(0, 4, notes=("mind the gap",)), *(Step(i, 4, None, {"d": 1.0}) for i in range(4))]
    with watched(iter(told), "x") as shown:
        assert list(shown) == told
    said = capsys.readouterr().err
    assert said.count("1/4") <= 1
    assert "4/4" in said
    assert numbers_of(Step(0, 1, None, {"seconds_per_kimg": 2.0})) == "s/kimg 2"


def test_targets_are_checked_before_the_work(tmp_path):
    check_target(tmp_path / "new" / "folder" / "x.png")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    check_target(tmp_path / "file")
    for path, said in [
        (tmp_path / "file" / "x.png", "is not a folder"),
        (tmp_path, "is a folder"),
    ]:
        with pytest.raises(RecipeError, match=said):
            check_target(path)


def test_a_folder_that_is_not_writable(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write anywhere
    with pytest.raises(RecipeError, match="permission denied"):
        check_target(tmp_path / "x.png")


def test_changes():
    assert changes_of(["a=1", "b.c = x=y ", "d="]) == {"a": "1", "b.c": " x=y ", "d": ""}
    for bad in ("a", "=3", ""):
        with pytest.raises(RecipeError, match="key=value"):
            changes_of([bad])


def test_describe_lists_every_field(capsys):
    describe(Imagine)
    said = capsys.readouterr().out
    for name in Imagine.model_fields:
        assert f"\n{name}" in f"\n{said}"
    assert "start = auto\n    where the search starts" in said
