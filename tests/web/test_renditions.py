"""Pictures in exact sizes and other formats."""

import io
import json
import subprocess

import pytest
from PIL import Image

from phosphene.core.errors import ImageError, RecipeError
from phosphene.core.images import fit, from_pil, to_pil
from phosphene.studio.entry import described
from phosphene.studio.video import write_video
from phosphene.web.renditions import Look, film, rendered
from tests.studio.studios import picture


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def noise(size=(40, 24), mode="RGB") -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise(size, 80).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


def test_what_is_as_it_was_painted_is_the_file_itself():
    png = picture("fox")
    assert rendered(png, Look()) is png
    assert rendered(png, Look(20, 10)) is png


def test_a_size_is_exact_and_the_recipe_stays():
    png = rendered(picture("fox"), Look(300, 200), {"parameters": "x: é\n y"})
    assert opened(png).size == (300, 200)
    assert described(png, "x")["title"] == "fox"
    assert opened(png).text["parameters"] == "x: é\n y"
    told = json.loads(opened(png).text["phosphene-resized"])
    assert told == {"painted": [20, 10], "shown": [300, 200]}
    assert png == rendered(picture("fox"), Look(300, 200), {"parameters": "x: é\n y"})


@pytest.mark.parametrize("size", [(80, 48), (20, 12), (64, 64)])
def test_it_is_resampled_as_pictures_are_everywhere_else(size):
    source = noise()
    ours = opened(rendered(source, Look(*size))).convert("RGB")
    theirs = to_pil(fit(from_pil(opened(source))[None], size[1], size[0])[0])
    pairs = zip(ours.tobytes(), theirs.tobytes(), strict=True)
    differences = [abs(a - b) for a, b in pairs]
    # where a crop falls between two pixels, they differ by a fraction of one
    assert sum(differences) / len(differences) < (1 if size != (64, 64) else 4)


def test_formats():
    clear = io.BytesIO()
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(clear, "PNG")
    jpeg = opened(rendered(clear.getvalue(), Look(16, 16, "jpeg")))
    assert (jpeg.format, jpeg.getpixel((3, 3))) == ("JPEG", (255, 255, 255))
    webp = opened(rendered(clear.getvalue(), Look(16, 16, "webp")))
    assert webp.convert("RGBA").getpixel((3, 3))[3] == 0
    small = rendered(noise((64, 64)), Look(None, None, "jpeg", 5))
    assert len(small) < len(rendered(noise((64, 64)), Look(None, None, "jpeg", 95)))
    preview = io.BytesIO()
    Image.new("RGB", (8, 8)).save(preview, "WEBP")
    assert opened(rendered(preview.getvalue(), Look())).format == "PNG"
    with pytest.raises(ImageError):
        rendered(b"<html>", Look())


@pytest.fixture
def frames(tmp_path):
    paths = []
    for number in range(4):
        paths.append(tmp_path / f"{number}.png")
        Image.new("RGB", (32, 32), (60 * number, 0, 0)).save(paths[-1])
    return paths


@pytest.mark.parametrize("kind", ["gif", "mp4"])
def test_films_have_an_exact_size_and_the_same_bytes(frames, tmp_path, kind):
    path = tmp_path / f"x.{kind}"
    write_video(frames, path, 10)
    data = film(path.read_bytes(), kind, (48, 20))
    assert data == film(path.read_bytes(), kind, (48, 20))
    (tmp_path / f"y.{kind}").write_bytes(data)
    if kind == "gif":
        assert (opened(data).size, opened(data).n_frames) == ((48, 20), 4)
        assert film(path.read_bytes(), kind, (32, 32)) == path.read_bytes()
        return
    from imageio_ffmpeg import count_frames_and_secs, get_ffmpeg_exe

    command = [get_ffmpeg_exe(), "-hide_banner", "-i", str(tmp_path / "y.mp4")]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    assert ", 48x20" in said
    assert count_frames_and_secs(str(tmp_path / "y.mp4"))[0] == 4
    with pytest.raises(RecipeError, match="even"):
        film(path.read_bytes(), kind, (47, 20))
