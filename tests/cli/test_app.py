import os
import subprocess
import sys

import pytest
import typer

from phosphene import __version__
from phosphene.cli import app as module
from phosphene.core.errors import PhospheneError, RecipeError

COMMANDS = ("imagine", "run", "replay", "models", "train", "data")
GROUPS = (
    *((name,) for name in COMMANDS),
    *(("models", name) for name in ("info", "pull", "convert")),
    ("data", "emoji"),
)


def raising(error: BaseException):
    def call(*_: object, **__: object) -> None:
        raise error

    return call


def test_help_lists_the_commands(phosphene):
    said = phosphene("--help")
    assert said.code == 0
    assert said.err == ""
    for name in COMMANDS:
        assert f"  {name} " in said.out


@pytest.mark.parametrize("command", GROUPS, ids=" ".join)
def test_every_command_explains_itself(phosphene, command):
    said = phosphene(*command, "--help")
    assert said.code == 0
    assert f"Usage: phosphene {' '.join(command)}" in said.out


def test_help_does_not_load_torch():
    program = (
        "import sys\n"
        "from phosphene.cli.app import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "finally:\n"
        "    heavy = {'torch', 'numpy', 'PIL', 'transformers', 'rich'}\n"
        "    print(sorted(heavy & set(sys.modules)))\n"
    )
    for arguments in (["--help"], ["imagine", "--help"], ["--version"]):
        ran = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout.splitlines()[-1] == "[]"


def test_version(phosphene):
    assert phosphene("--version").out == f"phosphene {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("imagin", "x"), "did you mean 'imagine'"),
        (("imagine", "x", "--sed", "3"), "no such option: --sed"),
        (("imagine", "x", "--seed", "abc"), "'--seed'"),
        (("imagine", "x", "--size", "3"), "--size"),
        (("imagine", "x", "y"), "unexpected extra argument"),
        (("replay",), "missing argument"),
        (("--devise", "cpu"), "no such option"),
        (("imagine", "x", "--s\x1b[2J"), "no such option"),
    ],
)
def test_misuse_is_one_line_and_exit_2(phosphene, arguments, said):
    answer = phosphene(*arguments)
    assert answer.code == 2
    assert said in answer.err.lower()
    assert answer.err.count("\n") == 1
    assert answer.err[:-1].isprintable()
    assert answer.err.startswith("phosphene: ")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (RecipeError("bad\x1b[2J\nthing"), 2, "phosphene: bad\\x1b[2J\\nthing\n"),
        (PhospheneError("worse 💚"), 1, "phosphene: worse 💚\n"),
        (KeyboardInterrupt(), 130, ""),
        (typer.Abort(), 130, ""),
        (typer.Exit(3), 3, ""),
        (ZeroDivisionError("by\nzero"), 1, "phosphene: ZeroDivisionError: by; run again with"),
        (ValueError(), 1, "phosphene: ValueError: ; run again with --debug"),
    ],
)
def test_exit_codes(phosphene, monkeypatch, error, code, said):
    monkeypatch.setattr("phosphene.zoo.cards", raising(error))
    answer = phosphene("models")
    assert answer.code == code
    assert answer.err.startswith(said)
    assert answer.err.count("\n") == (1 if said else 0)


@pytest.mark.parametrize("arguments", [("--debug", "models"), ("models", "--debug")])
def test_debug_shows_where_an_error_came_from(phosphene, monkeypatch, arguments):
    monkeypatch.setattr("phosphene.zoo.cards", raising(ZeroDivisionError("x")))
    answer = phosphene(*arguments)
    assert answer.code == 1
    assert "Traceback" in answer.err
    assert "in call" in answer.err


def test_debug_after_two_dashes_is_a_prompt(phosphene, monkeypatch):
    seen = []
    monkeypatch.setattr("phosphene.cli.imagine.paint", lambda recipe, *_: seen.append(recipe))
    assert phosphene("imagine", "--", "--debug").code == 0
    assert seen[0].prompt == "--debug"


def test_the_device_is_passed_on(painter, phosphene):
    answer = phosphene("--device", "tpu", "imagine", "x", "--model", "tiny-vqgan")
    assert answer.code == 1
    assert "no device 'tpu'" in answer.err


def test_main_reads_argv(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["phosphene", "--version"])
    with pytest.raises(SystemExit):
        module.main()
    assert capsys.readouterr().out.startswith("phosphene ")
