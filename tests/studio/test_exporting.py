"""Zips of pictures: the files as they are, names that are safe and differ."""

import io
import json
import zipfile

from phosphene.studio import exporting
from phosphene.studio.exporting import found, write_zip
from phosphene.studio.gallery import Search
from phosphene.studio.importing import import_picture
from tests.studio.studios import hang, picture, studio_in


def test_a_zip_goes_out_and_comes_in(studio, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "PAGE", 2)
    (tmp_path / "x.json").write_bytes(b"{}")
    beside = studio.gallery.keep_beside({".tree.json": tmp_path / "x.json"})
    names = [hang(studio, picture("../../../etc/fox"), beside=beside)]
    names += [hang(studio, picture(f"p{i}")) for i in range(4)]
    buffer = io.BytesIO()
    assert write_zip(studio.gallery, found(studio.gallery, Search()), buffer) == 5
    with zipfile.ZipFile(buffer) as archive:
        inside = archive.namelist()
        pngs = [archive.read(name) for name in inside if name.endswith(".png")]
        listed = json.loads(archive.read("gallery.json"))
    assert f"etc-fox-7-{names[0][:8]}.png" in inside
    assert f"etc-fox-7-{names[0][:8]}.tree.json" in inside
    assert not any("/" in name or ".." in name for name in inside)
    assert {entry["id"] for entry in listed} == set(names)
    other = studio_in(tmp_path / "other")
    assert {import_picture(other.gallery, png).id for png in pngs} == set(names)
    other.close()


def test_a_lost_picture_is_named_alone(studio):
    name = hang(studio, picture("fox"))
    studio.store.remove(name)
    buffer = io.BytesIO()
    write_zip(studio.gallery, found(studio.gallery, Search()), buffer)
    with zipfile.ZipFile(buffer) as archive:
        assert archive.namelist() == ["gallery.json"]
        assert json.loads(archive.read("gallery.json"))[0]["files"] == {}
