"""`phosphene gallery`: repair, import, export, backups."""

import zipfile
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.studio.studios import hang, picture, plain_png, studio_in, wanted
from tests.studio.test_foreign import A1111


@pytest.fixture
def share(phosphene: Command) -> Path:
    """A studio in the current folder, where commands look for it."""
    return Path("phosphene-studio").absolute()


def test_import_and_export(phosphene: Command, share: Path) -> None:
    Path("fox.png").write_bytes(picture("fox"))
    Path("other.png").write_bytes(plain_png(parameters=A1111))
    Path("none.png").write_bytes(plain_png())
    said = phosphene("gallery", "import", "fox.png", "other.png", "none.png")
    assert said.code == 2
    assert len(said.out.splitlines()) == 2
    assert "of AUTOMATIC1111; kept without meaning here: CFG scale" in said.err
    assert "none.png: the picture carries no recipe" in said.err
    assert "1 of 3 pictures could not be imported" in said.err
    said = phosphene("gallery", "export", "out.zip", "--words", "fox in snow")
    assert (said.code, said.out) == (0, "out.zip\n")
    with zipfile.ZipFile("out.zip") as archive:
        assert sorted(Path(name).suffix for name in archive.namelist()) == [".json", ".png"]


def test_repair(phosphene: Command, share: Path) -> None:
    studio = studio_in(share)
    name = hang(studio, picture("fox"))
    studio.store.path(name).unlink()
    orphan = studio.store.put(picture("orphan"))
    checked = phosphene("gallery", "repair", "--check")
    assert checked.code == 1
    assert checked.out == f"adopted: {orphan}\nlost: {name}\n"
    job = studio.jobs.submit(wanted())
    _, held = studio.leases.claim("elsewhere:1:a")
    said = phosphene("gallery", "repair")
    assert (said.code, "1 jobs are running; stop the server first" in said.err) == (2, True)
    studio.leases.give_back(held)
    assert phosphene("gallery", "repair").out == checked.out
    said = phosphene("gallery", "repair", "--check")
    assert (said.code, said.out) == (0, "")
    assert "agree" in said.err
    assert job.id
    studio.close()


def test_backup_and_restore(phosphene: Command, share: Path) -> None:
    studio = studio_in(share)
    name = hang(studio, picture("fox"))
    studio.jobs.submit(wanted())
    said = phosphene("gallery", "backup", "x.zip")
    assert (said.code, said.out) == (0, "x.zip\n")
    assert "1 pictures, 1 jobs" in said.err
    studio.close()
    said = phosphene("gallery", "restore", "x.zip")
    assert (said.code, "not an empty folder" in said.err) == (2, True)
    said = phosphene("gallery", "restore", "x.zip", "--share-dir", "new")
    assert (said.code, "1 pictures, 1 jobs in new" in said.err) == (0, True)
    assert phosphene("gallery", "repair", "--check", "--share-dir", "new").code == 0
    again = studio_in(Path("new"))
    assert again.gallery.get(name).title == "fox"
    again.close()


def test_a_folder_that_is_no_studio_does_not_become_one(phosphene: Command) -> None:
    for command in (("repair",), ("export", "x.zip"), ("backup", "x.zip")):
        said = phosphene("gallery", *command, "--share-dir", "mistyped")
        assert said.code == 2
        assert "no studio in 'mistyped'" in said.err
    assert not Path("mistyped").exists()
