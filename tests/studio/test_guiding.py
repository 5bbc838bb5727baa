"""guided-diffusion: words for the denoiser, perceptors for the pushes; taken up and replayed."""

import pytest
import torch

from phosphene.core.errors import RecipeError, Unsupported
from phosphene.core.images import save_png
from phosphene.studio.artifact import read_artifact
from phosphene.studio.craft import Painted
from phosphene.studio.imagine import imagine
from phosphene.studio.painting import Painting
from phosphene.studio.replay import replay
from phosphene.studio.stage import set_stage
from phosphene.training.checkpoint import load_state, save_state
from tests.studio.illustrators import wish


def guided(prompt="green heart", **fields):
    own = {"method": "guided-diffusion", "perceptors": ("tiny-judge",), "num_cutouts": 2}
    return wish(prompt, **{**own, **fields})


def painted(recipe, zoo, **options):
    return [s.artifact for s in imagine(recipe, zoo, **options) if isinstance(s, Painted)]


def hashes(artifacts):
    return [artifact.manifest.pixel_sha256 for artifact in artifacts]


def test_perceptors_move_the_picture(zoo):
    free, pushed = (painted(guided(push=p), zoo)[0] for p in (0.0, 0.5))
    assert not torch.equal(free.image, pushed.image)


@pytest.mark.slow
def test_the_pushes_come_nearer_to_the_words(zoo):
    fields = {"iterations": 12, "cut_policy": "whole", "cut_noise": 0.0, "start_noise": 0.0}
    losses = {}
    for push in (0.0, 1.0):
        steps = imagine(guided(push=push, rounds=2, **fields), zoo)
        losses[push] = [step.scalars["loss"] for step in steps if "loss" in step.scalars]
    assert losses[0.0][0] == pytest.approx(losses[1.0][0])
    assert losses[1.0][-1] < losses[0.0][-1]


def test_what_is_not_said_is_written_down(zoo):
    recipe = painted(guided(iterations=None), zoo)[0].manifest.recipe
    assert recipe.iterations == 30
    assert recipe.push == 0.15
    assert (recipe.rounds, recipe.look_every) == (1, 2)
    assert recipe.guidance_scale == 3
    assert (recipe.width, recipe.height) == (16, 16)


@pytest.mark.parametrize("made", [1, 2])  # the next step looks, or goes on as the last one did
def test_a_run_goes_on_within_a_picture(zoo, tmp_path, made):
    whole = hashes(painted(guided(count=2), zoo))
    one = Painting(set_stage(guided(count=2), zoo), zoo, 1)
    for _ in one.steps(made):
        pass
    save_state(tmp_path / "state.safetensors", one.state())
    other = Painting(set_stage(guided(count=2), zoo), zoo, 1)
    other.load_state(load_state(tmp_path / "state.safetensors"))
    assert other.iterations == made
    for _ in other.steps():
        pass
    assert other.finished().artifact.manifest.pixel_sha256 == whole[1]


def test_it_replays_stopped_or_whole(zoo, tmp_path):
    steps = imagine(guided(), zoo, folder=tmp_path / "run")
    for _ in range(3):
        next(steps)
    steps.close()
    (path,) = (tmp_path / "run").glob("green*.png")
    assert read_artifact(path).manifest.iterations == 3
    assert replay(path, zoo).identical
    (artifact,) = painted(guided(), zoo)
    artifact.save(tmp_path / "whole.png")
    assert replay(tmp_path / "whole.png", zoo).identical


def test_a_start_from_a_picture_takes_fewer_steps_and_makes_its_film(zoo, tmp_path):
    save_png(torch.zeros(3, 20, 20), tmp_path / "a.png")
    recipe = guided(init_image=str(tmp_path / "a.png"), strength=0.5, video="gif", save_every=1)
    (artifact,) = painted(recipe, zoo, folder=tmp_path / "run")
    assert artifact.manifest.iterations == 2
    assert list((tmp_path / "run").rglob("*.gif"))


def test_image_prompts_are_the_perceptors(zoo, tmp_path):
    save_png(torch.ones(3, 20, 20), tmp_path / "a.png")
    plain, led = (
        painted(guided(image_prompts=prompts), zoo)[0]
        for prompts in ((), (str(tmp_path / "a.png"),))
    )
    assert not torch.equal(plain.image, led.image)
    assert painted(guided(str(tmp_path / "a.png")), zoo)


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"optimiser": "adam"}, RecipeError, "optimiser: guided-diffusion has none"),
        ({"sampler": "unipc"}, RecipeError, "sampler: guided-diffusion has none"),
        ({"mask": "a.png"}, RecipeError, "mask: guided-diffusion has none"),
        ({"width": 32}, RecipeError, "width: 'tiny-diffusion' paints 16 x 16 px, not 32"),
        ({"model": "tiny-vqgan"}, Unsupported, "cannot paint by guided-diffusion"),
        ({"prompt": "a ^ b"}, Unsupported, "a story"),
    ],
)
def test_what_it_has_not(zoo, fields, error, said):
    fields = {"prompt": "fox", **fields}
    with pytest.raises(error, match=said):
        painted(guided(**fields), zoo)
