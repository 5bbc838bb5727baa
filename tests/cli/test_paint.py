from pathlib import Path

import torch
from PIL import Image

from phosphene.core.errors import StorageError
from phosphene.studio.artifact import read_artifact
from phosphene.studio.recipe import Imagine

RECIPE = Imagine(prompt="green heart", seed=7, count=2)


def files(folder: str | Path = ".") -> list[str]:
    return sorted(str(p) for p in Path(folder).rglob("*") if p.is_file())


def test_a_finished_run_leaves_only_what_was_asked_for(painter):
    said = painter("a", "--seed", "7", "-n", "2", "--video", "gif", "--out", "new/folder")
    assert said.code == 0, said.err
    wanted = ["new/folder/a-7.gif", "new/folder/a-7.png", "new/folder/a-8.gif"]
    assert files() == [*wanted, "new/folder/a-8.png"]
    assert sorted(said.out.split()) == files()


def test_saved_frames_keep_their_folder(painter):
    assert painter("a", "--seed", "7", "--set", "save_every=2").code == 0
    assert [name.rpartition("/")[2] for name in files()] == [
        "a-7.png",
        "000000.png",
        "000002.png",
        "000003.png",
        "recipe.json",
    ]


def test_another_picture_of_the_same_name_is_not_overwritten(painter):
    for tv, name in [(0, "a-7.png"), (1, "a-7-2.png"), (2, "a-7-3.png"), (1, "a-7-2.png")]:
        said = painter("a", "--seed", "7", "--set", f"tv_weight={tv}")
        assert said.out == f"{name}\n"
        assert read_artifact(Path(name)).manifest.recipe.tv_weight == tv
    assert files() == ["a-7-2.png", "a-7-3.png", "a-7.png"]


def test_a_file_that_is_named_is_overwritten(painter):
    Path("x.png").write_bytes(b"old")
    assert painter("a", "--seed", "7", "--out", "x.png").out == "x.png\n"
    assert read_artifact(Path("x.png")).manifest.seed == 7


def test_many_contain_one(painter):
    painter("a", "--seed", "7", "--out", "one.png")
    painter("a", "--seed", "6", "-n", "3")
    one, among = (read_artifact(Path(name)).manifest for name in ("one.png", "a-7.png"))
    assert one.pixel_sha256 == among.pixel_sha256


def test_an_error_in_the_middle_keeps_what_is_worth_keeping(painter, monkeypatch):
    def full(*_: object) -> None:
        raise StorageError("cannot write 'x': the disk is full; free some space and try again")

    monkeypatch.setattr("phosphene.studio.record.save_png", full)
    said = painter("a", "--seed", "7")
    assert said.code == 1
    assert "the disk is full" in said.err
    assert files() == []
    assert not Path("phosphene-runs").exists()


def test_a_disk_that_is_full_from_the_start_leaves_no_folder(painter, monkeypatch):
    def full(path: Path, _: bytes) -> None:
        raise StorageError(f"cannot write {str(path)!r}: the disk is full")

    monkeypatch.setattr("phosphene.studio.folder.write_bytes", full)
    said = painter("a", "--seed", "7")
    assert said.code == 1
    assert said.err.count("\n") == 1
    assert list(Path().iterdir()) == []


def test_a_disk_that_fills_up_says_how_to_go_on(painter, monkeypatch):
    def full(*_: object) -> None:
        raise StorageError("cannot write 'a-7.png': the disk is full")

    monkeypatch.setattr("phosphene.studio.record.CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr("phosphene.studio.artifact.write_bytes", full)
    said = painter("a", "--seed", "7")
    assert said.code == 1
    (run,) = Path("phosphene-runs").iterdir()
    assert said.err.splitlines()[-3:] == [
        f"kept: {run}",
        f"to go on: phosphene imagine --resume {run}",
        "phosphene: cannot write 'a-7.png': the disk is full",
    ]


def test_what_cannot_be_delivered_stays_in_the_run(painter, monkeypatch):
    def full(*_: object) -> None:
        raise StorageError("cannot write 'a-7.png': the disk is full")

    monkeypatch.setattr("phosphene.cli.paint._move", full)
    said = painter("a", "--seed", "7")
    assert said.code == 1
    assert [name.rpartition("/")[2] for name in files()] == ["a-7.png", "recipe.json"]
    (run,) = Path("phosphene-runs").iterdir()
    assert f"kept: {run}\n" in said.err


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_resuming_says_what_is_not_as_it_was(painter, phosphene, monkeypatch):
    Image.new("RGB", (16, 16)).save("photo.png")
    with monkeypatch.context() as patch:
        patch.setattr("phosphene.studio.record.CHECKPOINT_SECONDS", 0.0)
        patch.setattr("phosphene.studio.record.FolderRecord.keep", _interrupted)
        assert painter("a", "--seed", "7", "--init", "photo.png").code == 130
    run = str(next(Path("phosphene-runs").iterdir()))

    Image.new("RGB", (16, 16), "white").save("photo.png")
    said = phosphene("imagine", "--resume", run)
    assert said.code == 2
    assert said.err.startswith(f"phosphene: cannot resume '{run}': picture 'photo.png' has changed")
    assert said.err.count("\n") == 1

    Image.new("RGB", (16, 16)).save("photo.png")
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(before + 1)
        said = phosphene("imagine", "--resume", run)
    finally:
        torch.set_num_threads(before)
    assert said.out == "a-7.png\n"
    assert [line for line in said.err.splitlines() if line.startswith("phosphene: ")] == [
        f"phosphene: '{run}' was begun elsewhere (threads: made with {before}, here {before + 1}): "
        "the picture may differ from that of a run without interruption"
    ]


def test_resume_needs_a_run(phosphene):
    said = phosphene("imagine", "--resume", "none")
    assert said.code == 2
    assert "'none' holds no run" in said.err
