import pytest
import torch

from phosphene.core.errors import Diverged
from phosphene.studio.craft import Painted
from phosphene.studio.painting import Painting
from phosphene.studio.stage import Stage, set_stage
from phosphene.training.checkpoint import load_state, save_state
from tests.studio.fakes import tiny


def stage_of(zoo, prompt: str = "green heart", **fields: object) -> Stage:
    return set_stage(tiny(prompt, **fields), zoo)


def pixels_of(stage: Stage, zoo, number: int = 0) -> str:
    painting = Painting(stage, zoo, number)
    for _ in painting.steps():
        pass
    return painting.artifact().manifest.pixel_sha256


def test_steps_count_through_all_pictures(zoo):
    stage = stage_of(zoo, iterations=3, count=2, width=20)
    second = Painting(stage, zoo, 1)
    steps = [*second.steps(), second.finished()]
    assert [(step.index, step.total) for step in steps] == [(i, 8) for i in range(4, 8)]
    assert all(step.images.shape == (1, 3, 16, 20) for step in steps)
    assert all(step.scalars["picture"] == 1 for step in steps)
    assert all("loss" in step.scalars for step in steps[:-1])
    assert isinstance(steps[-1], Painted)
    assert steps[-1].artifact.manifest.seed == 8
    assert steps[-1].artifact.manifest.iterations == 3


def test_the_seed_fixes_the_picture(zoo):
    once, again = (pixels_of(stage_of(zoo), zoo) for _ in range(2))
    assert once == again
    assert pixels_of(stage_of(zoo, seed=8), zoo) != once


def test_the_ith_picture_is_the_sole_picture_of_its_seed(zoo):
    many = stage_of(zoo, seed=5, count=4)
    assert pixels_of(many, zoo, 2) == pixels_of(stage_of(zoo, seed=7), zoo)


def test_the_loss_falls(zoo):
    stage = stage_of(zoo, iterations=30, cut_noise=0.0, cut_policy="whole")
    losses = [step.scalars["loss"] for step in Painting(stage, zoo, 0).steps()]
    assert losses[-1] < losses[0] * 0.9


@pytest.mark.parametrize("optimiser", ["adam", "radam", "sgd"])
def test_a_painting_goes_on_from_its_state_bit_for_bit(zoo, tmp_path, optimiser):
    fields = {"optimiser": optimiser, "zoom": {"every": 2}, "iterations": 7, "story_every": 3}
    stage = stage_of(zoo, "a ^ b", **fields)
    painting = Painting(stage, zoo, 0)
    for _ in painting.steps(stop=4):
        pass
    save_state(tmp_path / "state", painting.state())

    resumed = Painting(stage, zoo, 0)
    resumed.load_state(load_state(tmp_path / "state"))
    assert resumed.iterations == 4
    for _ in resumed.steps():
        pass
    assert resumed.artifact().manifest.pixel_sha256 == pixels_of(stage, zoo)


def test_looking_does_not_change_the_picture(zoo):
    stage = stage_of(zoo)
    watched = Painting(stage, zoo, 0)
    for _ in watched.steps():
        watched.artifact()
        watched.state()
    assert watched.artifact().manifest.pixel_sha256 == pixels_of(stage, zoo)


def test_what_was_interrupted_is_the_picture_after_the_last_whole_iteration(zoo, monkeypatch):
    stage = stage_of(zoo)
    painting = Painting(stage, zoo, 0)
    steps = painting.steps()
    for _ in range(3):
        next(steps)
    whole = Painting(stage, zoo, 0)
    for _ in whole.steps(stop=3):
        pass

    real = painting.optimisation.optimizer.step

    def interrupted() -> None:
        real()
        raise KeyboardInterrupt

    monkeypatch.setattr(painting.optimisation.optimizer, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(steps)
    assert painting.artifact().manifest == whole.artifact().manifest
    assert painting.iterations == 3


def test_numbers_that_are_not_finite_stop_it(zoo, monkeypatch):
    stage = stage_of(zoo)
    painting = Painting(stage, zoo, 0)
    steps = painting.steps()
    next(steps)
    real = painting.optimisation.objective
    monkeypatch.setattr(
        painting.optimisation,
        "objective",
        lambda index: lambda images: real(index)(images) * torch.nan,
    )
    with pytest.raises(Diverged, match="learning_rate"):
        next(steps)
    assert painting.artifact().manifest.iterations == 1
    assert bool(torch.isfinite(painting.artifact().image).all())


def test_a_zoom_moves_the_picture(zoo):
    still = pixels_of(stage_of(zoo, iterations=4), zoo)
    moved = pixels_of(stage_of(zoo, iterations=4, zoom={"every": 2, "angle": 90}), zoo)
    late = pixels_of(stage_of(zoo, iterations=4, zoom={"every": 4, "angle": 90}), zoo)
    assert moved != still
    assert late == still  # the camera does not move after the last iteration
