"""Forecasts: what was measured is what is said."""

import pytest
import sqlalchemy as sa

from phosphene.studio.forecast import _iterations, forecast
from phosphene.studio.job import workload_of
from phosphene.studio.leases import Pace
from phosphene.studio.recipe_text import dump_recipe, parse_recipe
from phosphene.studio.tables import jobs
from tests.studio.studios import wanted


def measure(studio, setup: float, step: float, total: int, **fields) -> None:
    job = studio.jobs.submit(wanted(**fields))
    _, held = studio.leases.claim("elsewhere:1:a")
    with studio.database.writing() as connection:
        studio.leases.hold(connection, held, step=total, total=total)
    studio.leases.finish(held, Pace(setup, step))
    assert job.id


def test_nothing_measured_nothing_said(studio):
    studio.jobs.submit(wanted())
    assert forecast(studio.database, wanted()) is None


def test_setup_and_steps(studio):
    measure(studio, 2.0, 0.5, 101, iterations=100)
    found = forecast(studio.database, wanted(iterations=100))
    assert found.seconds == found.low == found.high == pytest.approx(2 + 101 * 0.5)
    assert (found.num_jobs, found.same_size) == (1, True)
    # twice as many iterations take twice the steps, three pictures three times
    assert forecast(studio.database, wanted(iterations=200)).seconds == pytest.approx(2 + 202 * 0.5)
    three = forecast(studio.database, wanted(iterations=100, count=3))
    assert three.seconds == pytest.approx(2 + 303 * 0.5)


def test_iterations_that_are_left_to_the_model_are_those_it_took(studio):
    measure(studio, 0.0, 1.0, 31)
    assert forecast(studio.database, wanted()).seconds == pytest.approx(31)


def test_medians_over_jobs_of_the_same_size(studio):
    for step in (0.1, 0.2, 0.3, 0.4, 5.0):
        measure(studio, 1.0, step, 10, iterations=9, width=64, height=64)
    measure(studio, 1.0, 40.0, 10, iterations=9, width=512, height=512)
    found = forecast(studio.database, wanted(iterations=9, width=64, height=64))
    assert found.seconds == pytest.approx(1 + 10 * 0.3)
    assert found.low < found.seconds < found.high <= 1 + 10 * 5.0
    assert (found.num_jobs, found.same_size) == (5, True)
    rough = forecast(studio.database, wanted(iterations=9, width=32, height=32))
    assert (rough.num_jobs, rough.same_size) == (6, False)
    assert forecast(studio.database, wanted(model="other")) is None


def test_jobs_that_failed_do_not_count(studio):
    measure(studio, 0.0, 1.0, 31)
    with studio.database.writing() as connection:
        connection.execute(sa.update(jobs).values(state="failed"))
    assert forecast(studio.database, wanted()) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "imagine", "prompt": "x", "iterations": 9},
        {"kind": "imagine", "prompt": "x"},
        {
            "kind": "sheet",
            "of": {"kind": "imagine", "prompt": "x", "iterations": 5},
            "vary": ["seed=1,2"],
        },
        {"kind": "train", "learner": "gan", "steps": 50},
        {"kind": "sample"},
        {"kind": "invert", "photo": "x.png", "iterations": 7},
    ],
)
def test_iterations_read_from_the_text_are_those_of_the_recipe(fields):
    recipe = parse_recipe(fields)
    assert _iterations(dump_recipe(recipe)) == workload_of(recipe).iterations
