"""Published pipelines paint what diffusers paints, pixel for pixel, and say what they cannot do."""

import gc
import logging
import threading
import warnings
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from phosphene.core.errors import CheckpointError, RecipeError, Unsupported
from phosphene.core.protocols import Commission, Illustrator
from phosphene.core.rng import Rng
from phosphene.families.diffusion import schedulers
from phosphene.families.diffusion.components import quiet
from phosphene.families.diffusion.pipeline import PublishedPipeline, build
from tests.families.diffusion.tiny_pipelines import FACTOR, SIZE
from tests.shelf import NoShelf

SEED = 7
HEIGHT, WIDTH = SIZE, SIZE + 16
TASKS = ("words", "init", "mask")
CLASSES = {
    "sd": "StableDiffusion{}Pipeline",
    "inpaint": "StableDiffusion{}Pipeline",
    "xl": "StableDiffusionXL{}Pipeline",
    "sd3": "StableDiffusion3{}Pipeline",
}
IN_NAME = {"words": "", "init": "Img2Img", "mask": "Inpaint"}
CHANNELS = {"sd": 4, "inpaint": 4, "xl": 4, "sd3": 16}


class Shelf(NoShelf):
    """A folder, in float32."""

    dtype = torch.float32

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def folder(self) -> Path:
        return self._folder


def load(folder: Path, **config: Any) -> PublishedPipeline:
    return build({}, config, Shelf(folder))


@pytest.fixture(scope="module")
def models(folders) -> Mapping[str, PublishedPipeline]:
    return {name: load(folder) for name, folder in folders.items()}


def commission(task: str = "words", **change: Any) -> Commission:
    """Three steps of a picture that is not square."""
    drawn = Rng((3,))
    init = drawn.uniform(3, HEIGHT, WIDTH, low=-1.0)
    mask = torch.zeros(1, 1, HEIGHT, WIDTH)
    mask[..., 8:24, 10:30] = 1
    fields: dict[str, Any] = {
        "spans": (("a fox", 1.0),),
        "height": HEIGHT,
        "width": WIDTH,
        "steps": 4,
        "guidance_scale": 3.0,
        "sampler": "euler",
        "init": None if task == "words" else init,
        "mask": mask if task == "mask" else None,
        "strength": 1.0 if task == "words" else 0.7,
    }
    return Commission(**{**fields, **change})


def painted(model: PublishedPipeline, asked: Commission, seed: int = SEED) -> torch.Tensor:
    return list(model.illustrate(asked, Rng((seed,))))[-1].images


@cache
def loaded(folder: Path, name: str, task: str) -> tuple[Any, Mapping[str, Any]]:
    """A pipeline as diffusers loads it, and the settings of its scheduler."""
    import diffusers

    absent = {"text_encoder_3": None, "tokenizer_3": None} if name == "sd3" else {}
    kind = getattr(diffusers, CLASSES[name].format(IN_NAME[task]))
    pipe = kind.from_pretrained(folder, **absent)
    pipe.set_progress_bar_config(disable=True)
    return pipe, pipe.scheduler.config


def directly(folder: Path, name: str, asked: Commission, **call: Any) -> torch.Tensor:
    """What diffusers itself makes of a commission, in [-1, 1]."""
    import diffusers

    task = "mask" if asked.mask is not None else "words" if asked.init is None else "init"
    rng = Rng((SEED,))
    with quiet():
        pipe, own = loaded(folder, name, task)
        table = schedulers.FLOW_SAMPLERS if name == "sd3" else schedulers.SAMPLERS
        scheduler, settings = table[asked.sampler]
        if settings is schedulers.FLOW:
            settings = {**settings, "flow_shift": 3.0}
        pipe.scheduler = getattr(diffusers, scheduler).from_config(own, **settings)
        if task == "words":
            shape = CHANNELS[name], asked.height // FACTOR, asked.width // FACTOR
            call["latents"] = rng.fork("latents").normal(*shape)
        else:
            call |= {"image": (asked.init + 1) / 2, "strength": asked.strength}
        if task == "mask":
            call["mask_image"] = asked.mask
        if task != "init" or name == "sd3":
            call |= {"height": asked.height, "width": asked.width}
        if "prompt_embeds" not in call:
            call |= {"prompt": asked.prompt, "negative_prompt": asked.negative_prompt or None}
        images = pipe(
            num_inference_steps=asked.steps,
            guidance_scale=asked.guidance_scale,
            generator=rng.fork("steps").generator(),
            output_type="pt",
            **call,
        ).images
    return images * 2 - 1


def assert_same(model: PublishedPipeline, folder: Path, name: str, asked: Commission) -> None:
    ours, theirs = painted(model, asked), directly(folder, name, asked)
    assert ours.shape == (1, 3, asked.height, asked.width)
    assert ours.std() > 0.01
    if asked.mask is None:
        assert torch.equal(ours, theirs)
    else:
        assert torch.equal(ours, torch.lerp(asked.init, theirs, asked.mask))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("sampler", [s for s in schedulers.SAMPLERS if s != "lms"])
def test_same_pixels_as_diffusers(models, folders, task, sampler):
    assert_same(models["sd"], folders["sd"], "sd", commission(task, sampler=sampler))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("sampler", ["euler", "dpm++-sde"])
def test_same_pixels_of_xl(models, folders, task, sampler):
    assert_same(models["xl"], folders["xl"], "xl", commission(task, sampler=sampler))


@pytest.mark.parametrize(
    ("task", "sampler"),
    [
        *(("words", sampler) for sampler in schedulers.FLOW_SAMPLERS),
        *((task, sampler) for task in TASKS[1:] for sampler in ("euler", "heun")),
    ],
)
def test_same_pixels_of_sd3(models, folders, task, sampler):
    assert_same(models["sd3"], folders["sd3"], "sd3", commission(task, sampler=sampler))


@pytest.mark.parametrize("name", ["sd", "xl", "sd3"])
def test_negative_prompts_and_no_guidance(models, folders, name):
    plain = painted(models[name], commission())
    for change in ({"negative_prompt": "dog"}, {"guidance_scale": 1.0}, {"guidance_scale": 9.0}):
        asked = commission(**change)
        assert_same(models[name], folders[name], name, asked)
        assert not torch.equal(painted(models[name], asked), plain)


def test_a_model_that_only_paints_into_pictures(models, folders):
    model = models["inpaint"]
    assert model.tasks == ("mask",)
    assert_same(model, folders["inpaint"], "inpaint", commission("mask", strength=1.0))
    for task in ("words", "init"):
        with pytest.raises(Unsupported, match="only paints into pictures"):
            model.check(commission(task))


def test_what_is_not_masked_is_kept(models):
    asked = commission("mask")
    soft = replace(asked, mask=asked.mask * 0.75)
    picture = painted(models["sd"], asked)
    kept = (asked.mask == 0).expand_as(picture)
    assert torch.equal(picture[kept], asked.init[kept])
    half = painted(models["sd"], soft)
    torch.testing.assert_close(half, torch.lerp(asked.init, picture, soft.mask))


def test_it_is_an_illustrator(models):
    for model in models.values():
        assert isinstance(model, Illustrator)
        assert model.habits.sampler in model.samplers
        assert (model.habits.height, model.habits.width) == (SIZE, SIZE)
        assert not model.training
        assert not any(parameter.requires_grad for parameter in model.parameters())


def test_a_step_for_each_step_of_denoising(models):
    for sampler, total in (("euler", 4), ("heun", 7), ("pndm", 5)):
        steps = list(models["sd"].illustrate(commission(sampler=sampler), Rng((SEED,))))
        assert [step.index for step in steps] == list(range(total))
        assert {step.total for step in steps} == {total}
        for step in steps:
            assert step.images.shape == (1, 3, HEIGHT, WIDTH)
            assert step.images.abs().max() <= 1
            assert step.images.isfinite().all()
    steps = list(models["sd"].illustrate(commission("init", strength=0.5), Rng((SEED,))))
    assert len(steps) == 2
    assert len(list(models["xl"].illustrate(commission(steps=1), Rng((SEED,))))) == 1


def test_a_picture_depends_on_its_seed_alone(models):
    model = models["sd"]
    asked = commission(sampler="euler-a")
    alone = painted(model, asked)
    torch.manual_seed(99)
    assert torch.equal(painted(model, asked), alone)
    assert not torch.equal(painted(model, asked, seed=8), alone)
    # two in turns, and a third with another sampler between
    turns = [model.illustrate(asked, Rng((seed,))) for seed in (SEED, 8)]
    for _ in range(2):
        for turn in turns:
            next(turn)
    painted(model, commission("init", sampler="ddim"))
    ends = [list(turn)[-1].images for turn in turns]
    assert torch.equal(ends[0], alone)
    assert torch.equal(ends[1], painted(model, asked, seed=8))
    with pytest.raises(RecipeError, match="paints one picture, this Rng has 2 seeds"):
        model.illustrate(asked, Rng((1, 2)))


def test_closing_stops_within_a_step(models, monkeypatch):
    model, calls = models["sd"], []
    network = model.networks["unet"]
    forward = network.forward
    monkeypatch.setattr(network, "forward", lambda *a, **k: calls.append(1) or forward(*a, **k))
    before = threading.active_count()
    steps = model.illustrate(commission(steps=50), Rng((SEED,)))
    assert not calls
    next(steps)
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    assert len(calls) == 2
    assert threading.active_count() == before
    forgotten = model.illustrate(commission(steps=50), Rng((SEED,)))
    next(forgotten)
    del forgotten
    gc.collect()
    assert threading.active_count() == before
    assert len(calls) == 3


def test_what_belongs_to_the_whole_program_is_left_alone(models):
    state, filters = torch.get_rng_state(), list(warnings.filters)
    level = logging.getLogger("diffusers").level
    steps = models["sd"].illustrate(commission(sampler="euler-a"), Rng((SEED,)))
    next(steps)
    assert torch.is_grad_enabled()
    assert warnings.filters == filters
    assert logging.getLogger("diffusers").level == level
    assert not list(steps)[-1].images.requires_grad
    assert torch.equal(torch.get_rng_state(), state)


def test_a_blocked_picture_is_an_error(models, folders, monkeypatch):
    checker = models["sd"].networks["safety_checker"]
    for name in ("concept_embeds_weights", "special_care_embeds_weights"):
        monkeypatch.setattr(getattr(checker, name), "data", getattr(checker, name) - 9)
    for task in TASKS:
        steps = models["sd"].illustrate(commission(task), Rng((SEED,)))
        with pytest.raises(RecipeError, match="safety checker blocked") as caught:
            list(steps)
        assert "\n" not in str(caught.value)
    without = load(folders["sd"], safety_checker=False)
    assert "safety_checker" not in without.networks
    assert painted(without, commission()).std() > 0.01


def test_words_that_count_more(models, folders):
    for name in ("sd", "xl"):
        model = models[name]
        plain = painted(model, commission())
        assert torch.equal(painted(model, commission(spans=(("a ", 1.0), ("fox", 1.0)))), plain)
        heavy = painted(model, commission(spans=(("a ", 1.0), ("fox", 1.5))))
        light = painted(model, commission(spans=(("a ", 1.0), ("fox", 0.5))))
        assert not torch.equal(heavy, plain)
        assert not torch.equal(heavy, light)
    with pytest.raises(Unsupported, match="weights of words"):
        models["sd3"].check(commission(spans=(("fox", 1.5),)))


def test_embeddings_given_as_weights_would_give_them_are_the_same(models, folders):
    """A weight of 1 through the long way round is diffusers' own picture."""
    import diffusers

    from phosphene.families.diffusion.pipeline import _encoded

    asked = commission()
    pipe = models["xl"]._pipe("words", diffusers.EulerDiscreteScheduler())
    with torch.no_grad():
        said = _encoded(pipe, asked.prompt, None, True)
    assert torch.equal(directly(folders["xl"], "xl", asked, **said), painted(models["xl"], asked))


def test_a_prompt_too_long_is_noted(models):
    asked = commission(spans=(("x" * 30, 1.0),), steps=2)
    first, last = models["sd"].illustrate(asked, Rng((SEED,)))
    assert first.notes == ("the model reads 22 tokens; the last 8 of the prompt are not read",)
    assert last.notes == ()
    (only,) = models["sd"].illustrate(replace(asked, steps=1), Rng((SEED,)))
    assert only.notes == first.notes
    assert next(models["sd"].illustrate(commission(), Rng((SEED,)))).notes == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sampler": "eular"}, r"sampler: this model has no 'eular'; did you mean 'euler'"),
        ({"width": 50}, r"50 x 32 px cannot be done; .* multiples of 4, as 48 x 32"),
        ({"height": 0}, "cannot be done"),
        ({"steps": 0}, "steps: 0 is out of range; use 1 to 1000"),
        ({"steps": 1001}, "steps"),
        ({"guidance_scale": 0.5}, r"guidance_scale: 0.5 is out of range; use 1 \(off\)"),
        ({"guidance_scale": float("nan")}, "guidance_scale"),
        ({"mask": torch.ones(1, 1, HEIGHT, WIDTH)}, "a mask needs an init"),
        ({"init": torch.zeros(1, 3, 8, 8)}, "init: it is 8 x 8 px, the picture 48 x 32"),
    ],
)
def test_what_cannot_be_done(models, change, said):
    with pytest.raises(RecipeError, match=said) as caught:
        models["sd"].check(commission(**change))
    assert "\n" not in str(caught.value)
    with pytest.raises(RecipeError):  # before anything is painted
        models["sd"].illustrate(commission(**change), Rng((SEED,)))


def test_strengths_that_leave_no_step(models):
    for strength in (0.0, -1.0, 1.5):
        with pytest.raises(RecipeError, match="strength"):
            models["sd"].check(commission("init", strength=strength))
    with pytest.raises(RecipeError, match=r"strength: 0.2 of 4 steps is none; use at least 0.25"):
        models["sd"].check(commission("init", strength=0.2))
    assert len(list(models["sd"].illustrate(commission("init", strength=0.25), Rng((1,))))) == 1


def test_what_flow_models_cannot_do(models):
    with pytest.raises(RecipeError, match="'unipc' cannot start from a picture"):
        models["sd3"].check(commission("init", sampler="unipc"))
    with pytest.raises(RecipeError, match="up to 128 px"):
        models["sd3"].check(commission(width=136))
    with pytest.raises(RecipeError, match="multiples of 8"):
        models["sd3"].check(commission(width=36))


def test_habits_of_a_card(folders):
    model = load(folders["sd"], steps=4, guidance_scale=1.0, sampler="lcm", height=64)
    assert model.habits.steps == 4
    assert model.habits.sampler == "lcm"
    assert (model.habits.height, model.habits.width) == (64, SIZE)
    for wrong in ({"sampler": "none"}, {"steps": "4"}, {"height": -8}, {"guidance_scale": "x"}):
        with pytest.raises(CheckpointError, match="the card's config"):
            load(folders["sd"], **wrong)
