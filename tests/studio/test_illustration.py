"""A denoised picture: watched, stopped, taken up, replayed, like any other."""

import pytest
import torch

from phosphene.core.images import save_png
from phosphene.studio.artifact import read_artifact
from phosphene.studio.craft import Painted
from phosphene.studio.easel import set_easel
from phosphene.studio.illustration import Illustration
from phosphene.studio.imagine import imagine
from phosphene.studio.replay import replay
from tests.studio.illustrators import token_wish, wish


def painted(recipe, zoo, **options):
    return [s.artifact for s in imagine(recipe, zoo, **options) if isinstance(s, Painted)]


def hashes(artifacts):
    return [artifact.manifest.pixel_sha256 for artifact in artifacts]


def test_steps_count_through_all_pictures(zoo):
    steps = list(imagine(wish(count=2), zoo))
    assert [(step.index, step.total) for step in steps] == [(i, 10) for i in range(10)]
    assert [isinstance(step, Painted) for step in steps] == ([False] * 4 + [True]) * 2
    assert [step.scalars["picture"] for step in steps] == [0] * 5 + [1] * 5


def test_the_ith_picture_is_the_sole_picture_of_its_seed(zoo):
    many = hashes(painted(wish(count=3), zoo))
    assert len(set(many)) == 3
    assert many[2:] == hashes(painted(wish(seed=9), zoo))


def test_alternatives_are_pictures_of_their_own(zoo):
    both = painted(wish("a {red|blue} fox", alternatives="all"), zoo)
    assert [a.manifest.prompt for a in both] == ["a red fox", "a blue fox"]
    assert hashes(both)[0] == hashes(painted(wish("a red fox"), zoo))[0]


def test_it_replays(zoo, tmp_path):
    (artifact,) = painted(wish("a (red:1.4) fox | dull:-1", sampler="unipc"), zoo)
    artifact.save(tmp_path / "a.png")
    assert replay(tmp_path / "a.png", zoo).identical


def test_what_was_stopped_is_kept_and_replays(zoo, tmp_path):
    steps = imagine(wish(), zoo, folder=tmp_path / "run")
    for _ in range(2):
        next(steps)
    steps.close()
    (path,) = (tmp_path / "run").glob("green*.png")
    manifest = read_artifact(path).manifest
    assert manifest.iterations == 2
    assert manifest.recipe.iterations == 4
    assert replay(path, zoo).identical


def test_a_run_goes_on_with_the_picture_it_was_at(zoo, tmp_path):
    whole = hashes(painted(wish(count=3), zoo))
    steps = imagine(wish(count=3), zoo, folder=tmp_path / "run")
    for _ in range(7):  # in the middle of the second
        next(steps)
    steps.close()
    painted(wish(count=3), zoo, folder=tmp_path / "run", resume=True)
    files = [tmp_path / "run" / f"green-heart-flat-{seed}.png" for seed in (7, 8, 9)]
    assert hashes([read_artifact(path) for path in files]) == whole


def test_frames_and_a_film_show_how_it_came(zoo, tmp_path):
    painted(wish(save_every=1, video="gif"), zoo, folder=tmp_path / "run")
    frames = sorted((tmp_path / "run").rglob("0*.png"))
    assert len(frames) == 5
    assert list((tmp_path / "run").rglob("*.gif"))
    assert replay(frames[2], zoo).identical


@pytest.mark.parametrize("stop", [0, 1, 3])
def test_it_can_be_painted_so_far(zoo, stop):
    illustration = Illustration(set_easel(wish(), zoo), zoo, 0)
    assert len(list(illustration.steps(stop))) == stop
    assert illustration.iterations == stop


def test_tokens_arrive_row_by_row(zoo):
    steps = list(imagine(token_wish(count=2), zoo))
    assert [(step.index, step.total) for step in steps] == [(i, 10) for i in range(10)]
    assert [isinstance(step, Painted) for step in steps] == ([False] * 4 + [True]) * 2
    assert all(step.images is not None for step in steps)


def test_tokens_are_those_of_a_seed(zoo):
    many = hashes(painted(token_wish(count=3), zoo))
    assert len(set(many)) == 3
    assert many[2:] == hashes(painted(token_wish(seed=9), zoo))


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 0.7, "top_k": 5, "top_p": 0.9},
        {"num_candidates": 3, "perceptors": ("tiny-judge",)},
    ],
)
def test_tokens_replay(zoo, tmp_path, fields):
    (artifact,) = painted(token_wish("a (red:1.4) fox | dull:-1", **fields), zoo)
    artifact.save(tmp_path / "a.png")
    assert replay(tmp_path / "a.png", zoo).identical


def test_the_lower_half_of_a_picture_is_completed_and_replays(zoo, tmp_path):
    image = torch.rand(3, 16, 16) * 2 - 1
    save_png(image, tmp_path / "photo.png")
    recipe = token_wish(init_image=str(tmp_path / "photo.png"), strength=0.5)
    assert len(list(imagine(recipe, zoo))) == 3  # two rows of four, and the picture
    (artifact,) = painted(recipe, zoo)
    artifact.save(tmp_path / "a.png")
    assert replay(tmp_path / "a.png", zoo).identical


def test_a_run_of_tokens_that_was_stopped_goes_on_and_leaves_a_film(zoo, tmp_path):
    wanted = {"count": 2, "video": "gif"}
    whole = hashes(painted(token_wish(**wanted), zoo))
    steps = imagine(token_wish(**wanted), zoo, folder=tmp_path / "run")
    for _ in range(2):
        next(steps)
    steps.close()
    assert not list((tmp_path / "run").rglob("*.gif"))
    kept = read_artifact(tmp_path / "run" / "green-heart-flat-7.png").manifest
    assert kept.iterations == 2
    assert replay(tmp_path / "run" / "green-heart-flat-7.png", zoo).identical
    painted(token_wish(**wanted), zoo, folder=tmp_path / "run", resume=True)
    files = [tmp_path / "run" / f"green-heart-flat-{seed}.png" for seed in (7, 8)]
    assert hashes([read_artifact(path) for path in files]) == whole
    assert len(list((tmp_path / "run").rglob("*.gif"))) == 2
