"""The course of a training: what came, what comes again after a stop, what is still to do."""

import pytest

from phosphene.studio.job_events import tell
from phosphene.studio.recipe import Train
from phosphene.web.pages.course import Course
from tests.studio.studios import studio_in
from tests.web.pages.visitor import preview, take

RECIPE = Train(learner="gan", name="tiny", steps=100, batch_size=20, data="folder:cats")


def say(studio, held, step, shown=None, **scalars):
    """Tell of a step."""
    with studio.database.writing() as connection:
        studio.leases.hold(connection, held, step=step, total=100)
        data = {"step": step, "total": 100, "scalars": scalars}
        tell(connection, held.job, "step", data, studio.database.clock(), shown)


@pytest.fixture
def running(tmp_path):
    studio = studio_in(tmp_path / "my studio")
    job = studio.jobs.submit(RECIPE)
    course = Course(studio, job.id)
    yield studio, take(studio), course
    studio.close()


def test_numbers_become_series(running):
    studio, held, course = running
    assert (course.recipe, course.seconds_left(), course.weights()) == (None, None, "")
    for step in (1, 2, 3):
        pace = {"kimg": step / 50, "seconds_per_kimg": 30.0}
        say(studio, held, step, moves=step / 2, rate=0.1, g=3.0 / step, **pace)
    course.look()
    assert list(course.curves()) == ["g", "moves"]
    assert course.series["g"] == [(1, 3.0), (2, 1.5), (3, 1.0)]
    assert course.recipe == RECIPE
    assert course.seconds_left() == pytest.approx((2.0 - 0.06) * 30)
    again = Course(studio, course.id)  # a reload
    again.look()
    assert again.series == course.series


def test_steps_that_come_again_take_the_place_of_those_before(running):
    studio, held, course = running
    for step in (10, 20, 30):
        say(studio, held, step, preview(), g=float(step))
    say(studio, held, 20, preview(), g=7.0)
    course.look()
    assert course.series["g"] == [(10, 10.0), (20, 7.0)]
    assert [moment.step for moment in course.moments] == [10, 20]


def test_what_a_rollback_made_undone_goes(running):
    studio, held, course = running
    for step in (10, 20, 30):
        say(studio, held, step, g=float(step))
    say(studio, held, 21, rolled_back=20.0)  # as `training.loop` tells of it
    course.look()
    assert course.series == {"g": [(10, 10.0), (20, 20.0)]}
    assert course.rolled_back == 20


def test_where_the_weights_are_and_what_paints_with_them(running):
    studio, held, course = running
    say(studio, held, 100, g=1.0, seconds_per_kimg=1.0)
    path = studio.store.run_of(course.id) / "tiny.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    course.look()
    assert (course.weights(), course.command()) == ("", "")  # not done
    studio.leases.finish(held)
    course.look()
    assert course.weights() == f"my studio/runs/{course.id}/tiny.safetensors"
    assert course.command() == f"phosphene sample 'my studio/runs/{course.id}/tiny.safetensors'"
    assert course.seconds_left() is None
    path.unlink()
    assert (course.weights(), course.command()) == ("", "")


def test_parts_of_models_have_no_command_of_their_own(tmp_path):
    studio = studio_in(tmp_path)
    job = studio.jobs.submit(RECIPE.model_copy(update={"learner": "perceptor"}))
    held = take(studio)
    path = studio.store.run_of(job.id) / "tiny.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    studio.leases.finish(held)
    course = Course(studio, job.id)
    course.look()
    assert course.weights()
    assert course.command() == ""
    studio.close()
