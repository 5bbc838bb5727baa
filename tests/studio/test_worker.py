"""Workers: what ends a job, what a wish does, and what is left after `kill -9` at any moment."""

import random
import signal
import time

import pytest

from phosphene.core.errors import RecipeError
from phosphene.core.images import save_png
from phosphene.core.rng import Rng
from phosphene.studio import worker as module
from phosphene.studio.carrying import Stopped
from phosphene.studio.job import ENDED, State
from phosphene.studio.job_events import read_events
from phosphene.studio.leases import MAX_DEATHS, LeaseLost, Pace
from phosphene.studio.recipe_text import parse_recipe
from phosphene.studio.repair import repair
from phosphene.studio.worker import Pulse, attempt
from tests.studio.fakes import tiny
from tests.studio.processes import start_worker
from tests.studio.studios import studio_in, wanted


def claimed(studio):
    studio.jobs.submit(wanted())
    return studio.leases.claim("elsewhere:1:a")


@pytest.mark.parametrize(
    ("raised", "state"),
    [
        (None, State.DONE),
        (RecipeError("no such model"), State.FAILED),
        (ZeroDivisionError("a fault of ours"), State.FAILED),
        (MemoryError(), State.FAILED),
        (Stopped(State.PAUSED), State.PAUSED),
        (Stopped(State.CANCELLED), State.CANCELLED),
        (Stopped(State.QUEUED), State.QUEUED),
        (LeaseLost("somebody else"), State.RUNNING),
    ],
)
def test_how_a_job_ends(studio, raised, state):
    job, held = claimed(studio)
    run = studio.store.run_of(job.id)
    run.mkdir(parents=True)

    def carry() -> Pace:
        if raised is not None:
            raise raised
        return Pace(1.0, 0.5)

    attempt(studio, job, held, carry)
    assert studio.jobs.get(job.id).state is state
    assert run.exists() == (state not in ENDED)


def until(condition, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def test_a_pulse_extends_the_lease_and_hears_wishes(studio, clock, monkeypatch):
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.01)
    job, held = claimed(studio)
    leaving = []
    with Pulse(studio, held, lambda: bool(leaving)) as pulse:
        clock.now += 20
        until(lambda: studio.jobs.get(job.id).lease_until > clock.now + 29)
        assert pulse.wish() is None
        studio.jobs.pause(job.id)
        until(lambda: pulse.wish() is State.PAUSED)
        studio.jobs.resume(job.id)
        until(lambda: pulse.wish() is None)
        leaving.append(True)
        until(lambda: pulse.wish() is State.QUEUED)
        studio.leases.give_back(held)
        with pytest.raises(LeaseLost):
            until(lambda: pulse.wish() == "never", 10)


def test_a_step_that_does_not_end_is_broken_off(studio, monkeypatch):
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.05)
    codes = []
    job, held = claimed(studio)
    pulse = Pulse(studio, held, lambda: False)

    def end(code: int) -> None:
        codes.append(code)
        pulse._over.set()  # the real one ends the process, and with it this thread

    monkeypatch.setattr(module.os, "_exit", end)
    with pulse:
        studio.jobs.cancel(job.id)
        until(lambda: codes)
    assert codes == [module.STUBBORN]
    assert studio.jobs.get(job.id).state is State.CANCELLED


NUM_STEPS = 280  # long enough to hear a wish in between
CHECKPOINT_EVERY = 5


def learns(**fields):
    """A tiny DCGAN on a folder that goes by its name."""
    return parse_recipe(
        {
            "kind": "train",
            "learner": "gan",
            "name": "tiny",
            "data": "folder:cats",
            "size": 16,
            "steps": NUM_STEPS,
            "batch_size": 4,
            "checkpoint_every": CHECKPOINT_EVERY,
            "sheet_every": 140,
            "tensorboard": False,
            "model": {"arch": "dcgan", "width": 4, "d_width": 4, "z_dim": 6},
            **fields,
        }
    )


def steps_of(studio, job: str) -> list[int]:
    return [e.data["step"] for e in read_events(studio.database, job=job) if e.kind == "step"]


@pytest.mark.slow
def test_a_training_is_stopped_resumed_and_killed_to_the_same_weights(home, tmp_path):
    data, share = tmp_path / "data", tmp_path / "share"
    for i in range(6):
        save_png(Rng((i,)).uniform(3, 20, 20, low=-1)[0], data / "cats" / f"{i}.png")
    studio = studio_in(share)
    whole, job = (studio.jobs.submit(learns()).id for _ in range(2))
    run = studio.store.run_of(job)
    process = start_worker(share, home, data=data)
    until((run / "checkpoint.safetensors").exists, 120)
    studio.jobs.pause(job)  # Stop, of the page
    until(lambda: studio.jobs.get(job).state is State.PAUSED)
    assert (run / "checkpoint.safetensors").exists()
    stopped = studio.jobs.get(job).step
    assert 5 <= stopped < NUM_STEPS
    studio.jobs.resume(job)
    until(
        lambda: studio.jobs.get(job).state is State.RUNNING and len(steps_of(studio, job)) > stopped
    )
    process.kill()
    process.communicate()
    studio.leases.reclaim()
    assert studio.jobs.get(job).state is State.QUEUED
    process = start_worker(share, home, data=data)
    until(lambda: studio.jobs.get(job).state in ENDED, 120)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    taken_up = steps_of(studio, job)
    # from the last checkpoint: stopped and killed once each, it did so many steps again at most
    again = [step for step in set(taken_up) if taken_up.count(step) > 1]
    assert len(again) <= 2 * CHECKPOINT_EVERY
    assert taken_up.count(1) == 1
    assert studio.jobs.get(job).state is State.DONE
    weights = [studio.store.run_of(name) / "tiny.safetensors" for name in (whole, job)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    sheets = [e for e in read_events(studio.database, job=whole) if e.has_preview]
    assert [e.data["step"] for e in sheets] == [140, 280]
    studio.close()


def killed_at_random_moments(folder, home, moments: int, jobs: int) -> None:
    """Whatever is killed: no job is lost, none is done twice, disk and database agree."""
    dice = random.Random(moments)
    studio = studio_in(folder)
    recipes = [tiny(f"thing {i}", iterations=25, count=2, seed=i) for i in range(jobs)]
    ids = [studio.jobs.submit(recipe).id for recipe in recipes]

    def has_begun() -> bool:
        return bool(studio.jobs.listed([State.RUNNING])) or not studio.jobs.waiting()

    for _ in range(moments):
        process = start_worker(folder, home)
        until(has_begun)
        time.sleep(dice.uniform(0, 0.6))
        process.kill()
        process.communicate()
        studio.leases.reclaim()
    process = start_worker(folder, home)
    until(lambda: all(studio.jobs.get(job).state in ENDED for job in ids), 300)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    for number, job in enumerate(ids):
        check(studio, job, number)
    repair(studio)  # raises if they do not agree after
    assert repair(studio).is_clean
    studio.close()


def check(studio, job: str, number: int) -> None:
    found, made = studio.jobs.get(job), studio.gallery.made_by(job)
    events = read_events(studio.database, job=job)
    ends = [e for e in events if e.kind == "state" and e.data["state"] in ENDED]
    assert len(ends) == 1
    pictures = [e.data["artifact"] for e in events if e.kind == "picture"]
    assert sorted(pictures) == sorted(made.values())
    if found.deaths < MAX_DEATHS:
        assert found.state is State.DONE
        assert set(made) == {0, 1}
        assert [studio.gallery.get(made[i]).seed for i in (0, 1)] == [str(number), str(number + 1)]
        assert all(studio.store.holds(name) for name in made.values())
    else:
        assert found.state is State.FAILED


@pytest.mark.slow
def test_killed_at_three_moments(home, tmp_path):
    killed_at_random_moments(tmp_path, home, 3, 3)


@pytest.mark.slow
def test_killed_at_fifty_moments(home, tmp_path):
    killed_at_random_moments(tmp_path, home, 50, 40)
