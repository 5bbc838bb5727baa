import subprocess

import pytest
from imageio_ffmpeg import count_frames_and_secs, get_ffmpeg_exe
from PIL import Image

from phosphene.core.errors import MissingTool, RecipeError, StorageError
from phosphene.studio.video import write_video

COLOURS = ("red", "lime", "blue", "white", "black", "yellow")


@pytest.fixture
def frames(tmp_path):
    """Six frames of one colour each, of odd sides."""
    paths = []
    for i, colour in enumerate(COLOURS):
        paths.append(tmp_path / f"{i:06d}.png")
        Image.new("RGB", (33, 21), colour).save(paths[-1])
    return paths


def test_mp4(frames, tmp_path):
    path = tmp_path / "film.mp4"
    write_video(frames, path, fps=10)
    about = subprocess.run(
        [get_ffmpeg_exe(), "-i", str(path)], capture_output=True, text=True, check=False
    ).stderr
    for said in ("h264", "yuv420p", "34x22", "10 fps"):
        assert said in about
    assert count_frames_and_secs(str(path))[0] == len(COLOURS)


def test_gif(frames, tmp_path):
    path = tmp_path / "film.gif"
    write_video(frames, path, fps=5)
    with Image.open(path) as film:
        assert film.n_frames == len(COLOURS)
        assert film.size == (34, 22)
        assert film.info["duration"] == 200
        assert film.info["loop"] == 0
        for i, colour in enumerate(COLOURS):
            film.seek(i)
            wanted = Image.new("RGB", (1, 1), colour).getpixel((0, 0))
            shown = film.convert("RGB").getpixel((16, 10))
            assert max(abs(a - b) for a, b in zip(wanted, shown, strict=True)) < 9


def test_what_is_clear_is_white(frames, tmp_path):
    Image.new("RGBA", (33, 21), (255, 0, 0, 0)).save(frames[0])
    write_video(frames[:1], tmp_path / "film.gif", fps=5)
    with Image.open(tmp_path / "film.gif") as film:
        assert min(film.convert("RGB").getpixel((16, 10))) > 250


def test_one_frame_is_a_video(frames, tmp_path):
    write_video(frames[:1], tmp_path / "film.mp4", fps=60)
    assert count_frames_and_secs(str(tmp_path / "film.mp4"))[0] == 1


def test_a_frame_of_another_size_is_fitted(frames, tmp_path):
    Image.new("RGB", (50, 50)).save(frames[1])
    write_video(frames, tmp_path / "film.mp4", fps=10)
    assert count_frames_and_secs(str(tmp_path / "film.mp4"))[0] == len(COLOURS)


def test_a_video_keeps_its_name_until_it_is_whole(frames, tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(b"old")
    frames[-1].write_bytes(b"not a picture")
    with pytest.raises(RecipeError, match="cannot read"):
        write_video(frames, path, fps=10)
    assert path.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        [path.name, *(f.name for f in frames)]
    )


def test_a_failing_ffmpeg_is_told(frames, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "phosphene.studio.video.FORMATS", {".mp4": ["-vcodec", "no-such-codec", "-f", "mp4"]}
    )
    with pytest.raises(StorageError, match="ffmpeg failed") as caught:
        write_video(frames, tmp_path / "film.mp4", fps=10)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "film.mp4").exists()


def test_refusals(frames, tmp_path, monkeypatch):
    with pytest.raises(RecipeError, match="at least one frame"):
        write_video([], tmp_path / "film.mp4", fps=10)
    with pytest.raises(RecipeError, match="cannot make a video"):
        write_video(frames, tmp_path / "film.avi", fps=10)
    with pytest.raises(StorageError):
        write_video(frames, frames[0] / "film.mp4", fps=10)

    def missing() -> str:
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.setattr("imageio_ffmpeg.get_ffmpeg_exe", missing)
    with pytest.raises(MissingTool, match="install ffmpeg"):
        write_video(frames, tmp_path / "film.mp4", fps=10)


def test_no_ffmpeg_is_left_behind(frames, tmp_path):
    frames[0].write_bytes(b"not a picture")
    with pytest.raises(RecipeError):
        write_video(frames, tmp_path / "film.mp4", fps=10)
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=False)
    assert f"{get_ffmpeg_exe()} -y -v error" not in listing.stdout
