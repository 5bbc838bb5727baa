"""Animations: each frame goes on from the one before it; films go on after a kill, and replay."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from phosphene.core.errors import ImageError, PhospheneError, RecipeError, Unsupported
from phosphene.core.images import from_uint8, open_image, pixel_hash, save_png, to_uint8
from phosphene.studio.animate import animate, wording
from phosphene.studio.artifact import read_artifact
from phosphene.studio.camera import move
from phosphene.studio.craft import Painted
from phosphene.studio.imagine import imagine
from phosphene.studio.recipe import Animate, Zoom
from phosphene.studio.recipe_text import dump_recipe
from phosphene.studio.reel import BEFORE
from phosphene.studio.replay import replay
from phosphene.zoo import Zoo
from tests.studio.fakes import make_zoo, tiny
from tests.studio.illustrators import wish

ROOT = Path(__file__).parents[2]
GUIDED = {"method": "guided-diffusion", "perceptors": ("tiny-judge",), "num_cutouts": 2}
METHODS = {
    "diffusion": lambda prompt="fox", **fields: wish(prompt, **fields),
    "guided-diffusion": lambda prompt="fox", **fields: wish(prompt, **{**GUIDED, **fields}),
    "vqgan-clip": lambda prompt="fox", **fields: tiny(prompt, **fields),
}
# carries out a recipe, and kills itself after so many steps
PROGRAM = """
import os, signal, sys
from pathlib import Path
from phosphene.studio.recipe_text import load_recipe
from phosphene.studio.run import run
from phosphene.zoo import Zoo
from tests.studio.fakes import register_judge
register_judge()
home, recipe, folder, stop = sys.argv[1:]
for index, step in enumerate(run(load_recipe(Path(recipe)), Zoo(Path(home)), "cpu", Path(folder))):
    if index == int(stop):
        os.kill(os.getpid(), signal.SIGKILL)
"""


def film(of=None, **fields):
    own = {"num_frames": 4, "video": None, "zoom": "1.1", "angle": "5"}
    return Animate(of=of or tiny("fox"), **{**own, **fields})


def taken(recipe, zoo, folder=None, **options):
    """The frames of a film, and its last step."""
    *steps, last = animate(recipe, zoo, "cpu", folder, **options)
    assert isinstance(last, Painted)
    return [s.artifact for s in steps if getattr(s, "artifact", None)], last


def hashes(artifacts):
    return [artifact.manifest.pixel_sha256 for artifact in artifacts]


def files(folder):
    return sorted((folder / "frames").glob("*.png"))


@pytest.mark.parametrize("method", METHODS)
def test_each_frame_is_imagined_from_the_one_before_it_moved(zoo, tmp_path, method):
    of = METHODS[method]()
    recipe = film(of, strength="0.5", zoom="0:1, 2:1.2", shift_x="1:2, 2:0")
    frames, _ = taken(recipe, zoo)
    (alone,) = (s.artifact for s in imagine(of, zoo) if isinstance(s, Painted))
    assert frames[0].manifest.pixel_sha256 == alone.manifest.pixel_sha256
    cameras = (Zoom(scale=1.1, angle=5, shift_x=2), Zoom(scale=1.2, angle=5), Zoom(scale=1.2))
    for number, camera in enumerate(cameras[:2], 1):
        moved = move(frames[number - 1].image[None], camera)[0]
        save_png(moved, tmp_path / "moved.png")
        fields = {"seed": 7 + number, "init_image": str(tmp_path / "moved.png")}
        if method == "vqgan-clip":
            fields |= {"start": "image", "iterations": 3}
        else:
            fields |= {"strength": 0.5}
        # a file holds 8 bits, so the picture that is moved does not pass through one: nearly
        one = METHODS[method](**fields)
        (wanted,) = (s.artifact.image for s in imagine(one, zoo) if isinstance(s, Painted))
        difference = (wanted - frames[number].image).abs()
        still = (wanted - frames[number - 1].image).abs()
        assert difference.mean() < 0.03
        assert difference.mean() < still.mean() / 3


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_strips_and_frames_replay(zoo, tmp_path, method):
    recipe = film(METHODS[method]("a {red|blue} fox"), prompts={2: "an owl"})
    _, last = taken(recipe, zoo, tmp_path / "run")
    last.artifact.save(tmp_path / "x.png")
    for path in (tmp_path / "x.png", *files(tmp_path / "run")[::3]):
        verdict = replay(path, zoo)
        assert verdict.identical
        assert verdict.reasons == ()


@pytest.mark.parametrize("method", ["diffusion", "guided-diffusion"])
def test_strength_of_a_diffusion_is_where_it_joins_the_path(zoo, method):
    recipe = film(METHODS[method](iterations=10), strength="1:0.5, 2:1, 3:0.1")
    frames, _ = taken(recipe, zoo)
    assert [frame.manifest.iterations for frame in frames] == [10, 5, 10, 1]


def test_strength_of_a_search_is_its_share_of_iterations(zoo):
    recipe = film(tiny(iterations=6), strength="1:0.5, 2:1, 3:0.01")
    frames, _ = taken(recipe, zoo)
    assert [frame.manifest.iterations for frame in frames] == [6, 3, 6, 1]


def test_frames_tell_where_they_came_from(zoo, tmp_path):
    save_png(torch.zeros(3, 20, 20), tmp_path / "a.png")
    recipe = film(tiny(init_image=str(tmp_path / "a.png")), prompts={1: "an owl"})
    frames, last = taken(recipe, zoo)
    for number, frame in enumerate(frames):
        manifest = frame.manifest
        assert (manifest.index, manifest.seed, manifest.frame) == (number, 7 + number, True)
        assert manifest.recipe.num_frames == number + 1
        assert manifest.recipe.of.learning_rate is not None  # complete
        before = None if number == 0 else frames[number - 1].manifest.pixel_sha256
        assert manifest.inputs.get(BEFORE) == before
        assert (str(tmp_path / "a.png") in manifest.inputs) == (number == 0)
        assert manifest.prompt == ("" if number == 0 else "an owl")
    assert set(last.artifact.manifest.inputs) == {str(tmp_path / "a.png")}
    assert set(last.artifact.manifest.models) >= {"tiny-vqgan", "tiny-judge"}


@pytest.mark.slow
def test_words_change_at_their_frame(zoo):
    plain, _ = taken(film(), zoo)
    changed, _ = taken(film(prompts="2: an owl"), zoo)
    assert hashes(plain)[:2] == hashes(changed)[:2]
    assert hashes(plain)[2] != hashes(changed)[2]


def test_alternatives_stay_as_the_first_seed_chose_them():
    recipe = film(tiny("a {red|blue|green|pink} fox", seed=3), num_frames=20)
    assert len({wording(recipe, number) for number in range(20)}) == 1


def test_steps_count_up_to_the_strip(zoo):
    steps = list(animate(film(), zoo))
    places = [step.index for step in steps]
    assert places == sorted(places)
    assert places[-1] + 1 == steps[-1].total
    assert {step.total for step in steps} == {4 * 7 + 1}
    assert [s.scalars["picture"] for s in steps[:-1]] == sorted(
        s.scalars["picture"] for s in steps[:-1]
    )


def test_the_strip_shows_frames_in_a_row(zoo):
    frames, last = taken(film(num_frames=5, num_shown=3), zoo)
    strip = last.artifact.image
    assert strip.shape == (3, 20, 3 * 18 + 2)
    for place, number in enumerate((0, 2, 4)):
        left = 2 + 18 * place
        assert torch.equal(strip[:, 2:18, left : left + 16], frames[number].image)


def test_the_film_has_all_frames_and_they_lie_beside_it(zoo, tmp_path):
    _, last = taken(film(video="gif", keep_frames=True), zoo, tmp_path / "run")
    with Image.open(last.beside[".gif"]) as seen:
        assert seen.n_frames == 4
        assert seen.size == (16, 16)
    assert [path.name for path in sorted(last.beside["-frames"].iterdir())] == [
        f"{number:06d}.png" for number in range(4)
    ]


def test_nothing_is_written_without_a_folder(zoo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, last = taken(film(video="gif"), zoo)
    assert last.beside == {}
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("after", [1, 8, 12])
def test_a_run_that_was_stopped_goes_on_at_the_first_missing_frame(zoo, tmp_path, method, after):
    recipe = film(METHODS[method](), prompts="2: an owl", video="gif")
    whole, last = taken(recipe, zoo, tmp_path / "whole")
    steps = animate(recipe, zoo, "cpu", tmp_path / "run")
    for _ in range(after):
        next(steps)
    steps.close()
    there = {path: path.stat().st_mtime_ns for path in files(tmp_path / "run")}
    again, end = taken(recipe, zoo, tmp_path / "run", resume=True)
    assert hashes(again) == hashes(whole)
    assert end.artifact.png() == last.artifact.png()
    assert end.beside[".gif"].read_bytes() == last.beside[".gif"].read_bytes()
    assert {path: path.stat().st_mtime_ns for path in there} == there


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on(zoo, home, tmp_path):
    recipe = film(tiny(), num_frames=5, video="gif")
    (tmp_path / "x.json").write_text(dump_recipe(recipe))
    whole, last = taken(recipe, zoo, tmp_path / "whole")
    command = [str(home), str(tmp_path / "x.json"), str(tmp_path / "run"), "17"]
    killed = subprocess.run(
        [sys.executable, "-c", PROGRAM, *command],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert 0 < len(files(tmp_path / "run")) < 5
    again, end = taken(recipe, zoo, tmp_path / "run", resume=True)
    assert hashes(again) == hashes(whole)
    assert end.beside[".gif"].read_bytes() == last.beside[".gif"].read_bytes()


def changed_pixels(path):
    """A frame with its manifest, whose pixels somebody changed."""
    artifact = read_artifact(path)
    save_png(-artifact.image, path, artifact.manifest.model_dump_json())


DAMAGES = {
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:200]),
    "empty": lambda path: path.write_bytes(b""),
    "without its recipe": lambda path: save_png(open_image(path), path),
    "other pixels": changed_pixels,
    "another frame": lambda path: path.write_bytes((path.parent / "000003.png").read_bytes()),
    "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_frame_is_painted_again_and_what_fits_stays(zoo, tmp_path, damage):
    whole, _ = taken(film(), zoo, tmp_path)
    paths = files(tmp_path)
    before = [path.read_bytes() for path in paths]
    DAMAGES[damage](paths[1])
    times = [path.stat().st_mtime_ns for path in (paths[0], *paths[2:])]
    again, _ = taken(film(), zoo, tmp_path, resume=True)
    assert hashes(again) == hashes(whole)
    assert [path.read_bytes() for path in paths] == before
    assert [path.stat().st_mtime_ns for path in (paths[0], *paths[2:])] == times


def test_what_went_on_from_other_pixels_is_painted_again(zoo, tmp_path):
    """Frame 1 is whole in itself, but frame 2 did not go on from it."""
    whole, _ = taken(film(), zoo, tmp_path)
    path = files(tmp_path)[1]
    artifact = read_artifact(path)
    other = from_uint8(to_uint8(artifact.image * 0.5))
    manifest = artifact.manifest.model_copy(update={"pixel_sha256": pixel_hash(other)})
    save_png(other, path, manifest.model_dump_json())
    again, _ = taken(film(), zoo, tmp_path, resume=True)
    assert hashes(again)[0] == hashes(whole)[0]
    assert all(a != b for a, b in zip(hashes(again)[1:], hashes(whole)[1:], strict=True))


def test_other_weights_do_not_go_on(zoo, tmp_path):
    taken(film(), zoo, tmp_path / "run")
    with pytest.raises(RecipeError, match=r"cannot resume .*model 'tiny-.* has changed"):
        taken(film(), make_zoo(tmp_path / "home", seed=5), tmp_path / "run", resume=True)


def test_a_folder_holds_one_film(zoo, tmp_path):
    taken(film(), zoo, tmp_path)
    with pytest.raises(PhospheneError, match="holds another run"):
        taken(film(zoom="1.2"), zoo, tmp_path, resume=True)
    with pytest.raises(PhospheneError, match="holds another run"):
        taken(film(), zoo, tmp_path)


@pytest.mark.parametrize(
    ("recipe", "error", "said"),
    [
        (film(prompts={3: "blurry:-1"}, of=wish()), RecipeError, "only says what not to paint"),
        (film(prompts={3: "gone.png"}), ImageError, "gone.png"),
        (film(wish(), prompts={2: "a.png"}), Unsupported, "is a picture"),
        (film(tiny(model="nobody")), PhospheneError, "nobody"),
        (film(wish(width=32)), RecipeError, "16 x 16"),
    ],
)
def test_a_mistake_in_any_frame_shows_before_anything_is_painted(
    zoo: Zoo, tmp_path, recipe, error, said
):
    with pytest.raises(error, match=said):
        next(animate(recipe, zoo, "cpu", tmp_path / "run"))
    assert not (tmp_path / "run").exists()
