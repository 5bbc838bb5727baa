"""Repair: whatever a crash or a person left, disk and database agree afterwards."""

import pytest

from phosphene.core.errors import StorageError
from phosphene.studio import repair as module
from phosphene.studio.gallery import Search
from phosphene.studio.repair import Report, inspect, repair, tidy_up
from tests.studio.studios import hang, picture, wanted


def test_everything_at_once(studio, tmp_path):
    kept = hang(studio, picture("kept"))
    gone = hang(studio, picture("gone"))
    damaged = hang(studio, picture("damaged"))
    orphan = studio.store.put(picture("orphan"))
    stray = studio.store.put(b"nobody's", ".mp4")
    studio.store.path(gone).unlink()
    studio.store.path(damaged).write_bytes(b"x")
    half = studio.store.path(kept).with_name(".12.tmp")
    half.touch()
    going = hang(studio, picture("going"))
    studio.gallery.delete(going)
    studio.gallery._change(going, purged=True)
    (tmp_path / "x.mp4").write_bytes(b"film")
    beside = studio.gallery.keep_beside({".mp4": tmp_path / "x.mp4"})
    film = beside[".mp4"][0]
    hang(studio, picture("with film"), beside=beside)
    studio.store.remove(film, ".mp4")
    ended, alive = studio.jobs.submit(wanted()).id, studio.jobs.submit(wanted()).id
    studio.jobs.cancel(ended)
    for run in (ended, alive, "nobody"):
        studio.store.run_of(run).mkdir(parents=True)

    report = repair(studio)
    assert report.adopted == [orphan]
    assert set(report.lost) == {gone, damaged}
    assert report.purged == [going]
    assert report.strays == [f"{stray}.mp4"]
    assert report.lost_beside == [film]
    assert len(report.half_written) == 1
    assert set(report.runs) == {ended, "nobody"}
    assert repair(studio).is_clean
    titles = {e.title: e.lost for e in studio.gallery.search(Search()).entries}
    expected = {"kept": False, "gone": True, "damaged": True, "orphan": False, "with film": False}
    assert titles == expected
    assert studio.store.run_of(alive).is_dir()
    assert studio.gallery.get(orphan).origin == "repair"


def test_a_file_that_is_back_is_seen(studio):
    png = picture("fox")
    name = hang(studio, png)
    studio.store.path(name).unlink()
    assert repair(studio).lost == [name]
    studio.store.put(png)
    assert repair(studio).returned == [name]
    assert not studio.gallery.get(name).lost


def test_looking_changes_nothing(studio):
    studio.store.put(b"nobody's")
    assert inspect(studio) == inspect(studio)
    assert not inspect(studio).is_clean


def test_a_repair_that_did_not_help_says_so(studio, monkeypatch):
    monkeypatch.setattr(module, "inspect", lambda _: Report(lost=["x"]))
    with pytest.raises(StorageError, match="still do not agree"):
        repair(studio)


def test_what_was_broken_off_is_ended_when_a_server_starts(studio):
    going = hang(studio, picture("going"))
    studio.gallery.delete(going)
    studio.gallery._change(going, purged=True)
    ended, alive = studio.jobs.submit(wanted()).id, studio.jobs.submit(wanted()).id
    studio.jobs.cancel(ended)
    for run in (ended, alive):
        studio.store.run_of(run).mkdir(parents=True)
    tidy_up(studio)
    assert inspect(studio).is_clean
    assert studio.store.run_of(alive).is_dir()
    assert not studio.store.holds(going)
