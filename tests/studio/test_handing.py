"""A picture and what lies beside it."""

from phosphene.studio.handing import hand_over


def test_what_lies_beside_a_picture_comes_with_it(tmp_path):
    run, there = tmp_path / "run", tmp_path / "there"
    (run / "frames").mkdir(parents=True)
    (run / "frames" / "000000.png").write_bytes(b"frame")
    (run / "film").write_bytes(b"film")
    beside = {".gif": run / "film", "-frames": run / "frames"}
    written = hand_over(b"picture", beside, there / "x.png")
    assert written == [there / "x.png", there / "x.gif", there / "x-frames"]
    assert (there / "x.png").read_bytes() == b"picture"
    assert (there / "x.gif").read_bytes() == b"film"
    assert (there / "x-frames" / "000000.png").read_bytes() == b"frame"


def test_frames_of_a_longer_walk_go_and_nothing_else(tmp_path):
    run, there = tmp_path / "frames", tmp_path / "x-frames"
    run.mkdir()
    there.mkdir()
    (run / "000000.png").write_bytes(b"new")
    for name in ("000000.png", "000001.png", "mine.png", "1st.png", "7.txt"):
        (there / name).write_bytes(b"old")
    hand_over(b"", {"-frames": run}, tmp_path / "x.png")
    assert sorted(path.name for path in there.iterdir()) == [
        "000000.png",
        "1st.png",
        "7.txt",
        "mine.png",
    ]
    assert (there / "000000.png").read_bytes() == b"new"
