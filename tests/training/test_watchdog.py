"""The watchdog: which numbers mean death, and how long they must last."""

import pytest

from phosphene.core.errors import Diverged
from phosphene.training.watchdog import Signs, Watchdog

SIGNS = Signs(patience=3, grace=2)
FINE = {"d": 1.0, "diversity": 0.9, "d_real": 0.7, "d_fake": 0.8}
ALIKE = {**FINE, "diversity": 0.01}
PERFECT = {**FINE, "d_real": 1.0, "d_fake": 1.0}


def watched(*logs: dict[str, float], signs: Signs = SIGNS) -> Watchdog:
    dog = Watchdog(signs)
    for index, log in enumerate(logs):
        dog.observe(index, log)
    return dog


def test_a_healthy_run_is_left_alone() -> None:
    assert watched(*[FINE] * 20).calm
    assert watched(*[{"l1": 0.1}] * 20).calm  # learners without these numbers


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_not_finite(value: float) -> None:
    with pytest.raises(Diverged, match=r"step 0: g became .*; try a lower learning rate"):
        watched({"g": value})


@pytest.mark.parametrize(
    ("log", "message"),
    [(ALIKE, "step 4: the generator collapsed: .* alike for 3 steps"),
     (PERFECT, "step 4: the discriminator has not been wrong for 3 steps")],
)  # fmt: skip
def test_signs_must_last(log: dict[str, float], message: str) -> None:
    dog = watched(FINE, FINE, log, log)
    assert not dog.calm
    assert watched(FINE, FINE, log, log, FINE).calm
    assert watched(log, log, log, log).calm is False  # two of these four fell into the grace
    with pytest.raises(Diverged, match=message):
        watched(FINE, FINE, log, log, log)


def test_right_about_one_kind_only_is_no_sign() -> None:
    assert watched(*[{**FINE, "d_real": 1.0}] * 9).calm


def test_the_state_goes_on() -> None:
    dog = watched(FINE, FINE, ALIKE, ALIKE)
    other = Watchdog(SIGNS)
    other.load_state(dog.state())
    with pytest.raises(Diverged, match="alike for 3 steps"):
        other.observe(4, ALIKE)
    other.load_state({})
    assert other.calm
