"""Jobs: what makes two of them alike."""

import pytest

from phosphene.studio.job import Job, State, Workload, workload_of
from phosphene.studio.recipe_text import parse_recipe
from tests.studio.studios import wanted


@pytest.mark.parametrize(
    ("fields", "work"),
    [
        (
            {"kind": "imagine", "prompt": "x", "width": 64, "height": 32, "count": 3},
            Workload("imagine", "vqgan-clip", "emoji-vqgan", "64x32", 3, None),
        ),
        (
            {"kind": "sample", "model": "digits-cgan", "seeds": "3,5,7"},
            Workload("sample", "", "digits-cgan", "", 3, None),
        ),
        (
            {"kind": "walk", "num_frames": 9, "model": "faces-dcgan"},
            Workload("walk", "", "faces-dcgan", "", 9, None),
        ),
        (
            {
                "kind": "sheet",
                "of": {"kind": "imagine", "prompt": "x", "iterations": 5},
                "vary": ["seed=1,2"],
            },
            Workload("sheet", "diffusion", "emoji-diffusion", "", 2, 5),
        ),
        (
            {"kind": "train", "learner": "gan", "name": "mine", "steps": 50},
            Workload("train", "gan", "mine", "", 1, 50),
        ),
    ],
)
def test_what_a_recipe_takes(fields, work):
    assert workload_of(parse_recipe(fields)) == work


def test_progress_goes_from_0_to_1(studio):
    job = studio.jobs.submit(wanted())
    assert job.progress == 0

    def at(state: State, step: int, total: int) -> float:
        values = {name: getattr(job, name) for name in Job.__slots__}
        return Job(**{**values, "state": state, "step": step, "total": total}).progress

    assert at(State.RUNNING, 1, 4) == 0.25
    assert at(State.DONE, 1, 4) == 1
