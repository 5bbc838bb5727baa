"""A process converts one checkpoint at a time; what goes wrong in it is one line here."""

import os
import threading
import time

import pytest

from phosphene.core.errors import (
    CheckpointError,
    ProcessFailed,
    RecipeError,
    StorageError,
    TooMany,
    UnsafeModel,
    WeightsError,
)
from phosphene.studio.converting import Converter
from phosphene.zoo.zoo import Zoo
from tests.zoo.taming_reference import drawn_weights, published
from tests.zoo.test_convert import GUMBEL


def dies(line, *asked):
    """A process that is killed, as by the kernel for memory."""
    os._exit(9)


def hangs(line, *asked):
    """A process that does not end by itself."""
    time.sleep(600)


class Asks:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch ran",)


def convert(converter, *asked, **more):
    with converter.turn():
        return converter.convert(*asked, **more)


@pytest.mark.slow
def test_a_checkpoint_becomes_a_model(tmp_path):
    checkpoint, config = published(GUMBEL, drawn_weights(GUMBEL), tmp_path)
    home = tmp_path / "home"
    assert convert(Converter(), "taming", checkpoint, config, "mine", home) == "mine"
    assert Zoo(home).card("mine").converted.file == checkpoint.name
    Zoo(home).load("mine")


@pytest.mark.slow
def test_what_is_wrong_is_said_without_places_of_this_machine(tmp_path):
    import torch

    checkpoint, config = published(GUMBEL, {}, tmp_path)
    torch.save({"state_dict": {}, "x": Asks()}, tmp_path / "evil.ckpt")
    (tmp_path / "plain.ckpt").write_text("no checkpoint")
    home = tmp_path / "home"
    (tmp_path / "file").touch()
    for name, kind, file, where, said in (
        ("a", CheckpointError, checkpoint, home, "'last.ckpt' does not fit"),
        ("a", UnsafeModel, tmp_path / "evil.ckpt", home, "asks to run"),
        ("a", WeightsError, tmp_path / "plain.ckpt", home, "is not a checkpoint"),
        ("../a", RecipeError, checkpoint, home, "cannot be a model's name"),
    ):
        with pytest.raises(kind, match=said) as caught:
            convert(Converter(), "taming", file, config, name, where)
        assert str(tmp_path) not in str(caught.value)
        assert str(caught.value).isprintable()
    assert not home.exists()
    assert not (tmp_path / "ran").exists()


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_is_not_named(tmp_path):
    checkpoint, config = published(GUMBEL, drawn_weights(GUMBEL), tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written") as caught:
        convert(Converter(), "taming", checkpoint, config, "a", tmp_path / "file")
    assert str(tmp_path) not in str(caught.value)


def test_one_at_a_time(tmp_path):
    converter = Converter()
    with converter.turn(), pytest.raises(TooMany, match="another checkpoint"), converter.turn():
        pass
    with converter.turn():
        pass


@pytest.mark.slow
def test_a_process_that_dies_or_hangs_is_said(tmp_path):
    asked = ("biggan", tmp_path / "x.bin", None, "a", tmp_path)
    with pytest.raises(ProcessFailed, match="died"):
        convert(Converter(dies), *asked)
    with pytest.raises(ProcessFailed, match="took too long"):
        convert(Converter(hangs), *asked, seconds=0.1)


def test_a_server_that_stops_waits_for_no_conversion(tmp_path):
    converter, said = Converter(hangs), []

    def ask():
        with pytest.raises(ProcessFailed) as caught:
            convert(converter, "biggan", tmp_path / "x.bin", None, "a", tmp_path)
        said.append(str(caught.value))

    thread = threading.Thread(target=ask)
    thread.start()
    while converter._process is None:
        time.sleep(0.01)
    converter.stop()
    thread.join(30)
    assert "died" in said[0] or "too long" in said[0]
    converter.stop()  # harmless
