"""The queue: order, priorities, states; properties against a list."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from phosphene.core.errors import NotFound, RecipeError, TooMany, WrongState
from phosphene.studio.job import State
from phosphene.studio.jobs import Jobs
from phosphene.studio.recipe import Imagine
from tests.studio.studios import Clock, studio_in, wanted


def waiting(studio) -> list[str]:
    return [job.id for job in studio.jobs.waiting()]


def test_a_job_has_its_seed_from_the_start(studio):
    job = studio.jobs.submit(Imagine(prompt="fox"))
    assert job.parsed().seed is not None
    assert studio.jobs.get(job.id) == job
    assert (job.state, job.kind, job.model) == (State.QUEUED, "imagine", "emoji-diffusion")


def test_what_was_accepted_is_there_when_the_studio_opens_again(studio):
    jobs = [studio.jobs.submit(wanted(), priority=p).id for p in (0, 5, 0)]
    again = studio_in(studio.store.share)
    assert [job.id for job in again.jobs.waiting()] == [jobs[1], jobs[0], jobs[2]]
    again.close()


def test_the_same_key_is_the_same_job(studio):
    first = studio.jobs.submit(Imagine(prompt="fox"), client_key="a")
    assert studio.jobs.submit(Imagine(prompt="fox"), client_key="a") == first
    with pytest.raises(WrongState, match="another recipe"):
        studio.jobs.submit(Imagine(prompt="owl"), client_key="a")
    assert len(studio.jobs.waiting()) == 1


def test_the_queue_can_be_full(studio):
    jobs = Jobs(studio.database, max_waiting=2)
    paused = jobs.submit(wanted())
    jobs.pause(paused.id)
    ended = jobs.submit(wanted())
    with pytest.raises(TooMany, match="2 jobs are waiting"):
        jobs.submit(wanted())
    jobs.cancel(ended.id)
    jobs.submit(wanted())


def test_pausing_resuming_and_cancelling(studio, clock):
    job = studio.jobs.submit(wanted()).id
    assert studio.jobs.pause(job).state is State.PAUSED
    assert waiting(studio) == []
    assert studio.jobs.resume(job).state is State.QUEUED
    with pytest.raises(WrongState, match="queued, not paused"):
        studio.jobs.resume(job)
    clock.now = 2000.0
    ended = studio.jobs.cancel(job)
    assert (ended.state, ended.ended) == (State.CANCELLED, 2000.0)
    assert studio.jobs.cancel(job) == ended  # said twice is no mistake
    for change in (studio.jobs.pause, studio.jobs.resume):
        with pytest.raises(WrongState, match="cancelled"):
            change(job)


def test_a_running_job_is_asked(studio):
    job = studio.jobs.submit(wanted()).id
    _, held = studio.leases.claim("host:1:a")
    assert studio.jobs.pause(job).wish is State.PAUSED
    assert studio.leases.extend(held) is State.PAUSED
    assert studio.jobs.resume(job).wish is None
    studio.jobs.cancel(job)
    with pytest.raises(WrongState, match="cancelled already"):
        studio.jobs.pause(job)  # it is too late
    assert studio.leases.extend(held) is State.CANCELLED


def test_a_job_that_is_paused_and_resumed_has_its_old_place(studio):
    first, second = (studio.jobs.submit(wanted()).id for _ in range(2))
    studio.jobs.pause(first)
    studio.jobs.resume(first)
    assert waiting(studio) == [first, second]


def test_what_cannot_be_moved(studio):
    job, paused = studio.jobs.submit(wanted()).id, studio.jobs.submit(wanted()).id
    studio.jobs.pause(paused)
    for wrong, error in (
        ({"before": job}, RecipeError),
        ({"before": "nobody"}, NotFound),
        ({"before": paused}, WrongState),
        ({"priority": 101}, RecipeError),
        ({"before": paused, "priority": 1}, RecipeError),
    ):
        with pytest.raises(error):
            studio.jobs.move(job, **wrong)
    with pytest.raises(NotFound, match="no job 'nobody'"):
        studio.jobs.get("nobody")
    with pytest.raises(RecipeError, match="priority"):
        studio.jobs.submit(wanted(), priority=-101)


def test_jobs_are_listed_and_counted(studio, clock):
    ids = []
    for _ in range(3):
        clock.now += 1
        ids.append(studio.jobs.submit(wanted()).id)
    studio.jobs.cancel(ids[1])
    assert [job.id for job in studio.jobs.listed()] == ids[::-1]
    assert [job.id for job in studio.jobs.listed([State.QUEUED], 1, 1)] == [ids[0]]
    counts = studio.jobs.counts()
    assert (counts[State.QUEUED], counts[State.CANCELLED], counts[State.DONE]) == (2, 1, 0)


class Queue(RuleBasedStateMachine):
    """The queue beside a plain list of (priority, name), which is sorted stably."""

    @initialize()
    def open(self):
        self.folder = tempfile.TemporaryDirectory()
        self.studio = studio_in(Path(self.folder.name), Clock())
        self.model: list[tuple[int, str]] = []

    @rule(priority=st.integers(-2, 2))
    def submit(self, priority):
        self._put(len(self.model), priority, self.studio.jobs.submit(wanted(), priority).id)

    @precondition(lambda self: len(self.model) > 1)
    @rule(data=st.data())
    def move_before(self, data):
        i, j = data.draw(st.permutations(range(len(self.model))))[:2]
        (_, moved), (priority, before) = self.model[i], self.model[j]
        self.studio.jobs.move(moved, before)
        del self.model[i]
        at = [name for _, name in self.model].index(before)
        self.model.insert(at, (priority, moved))

    @precondition(lambda self: self.model)
    @rule(data=st.data(), priority=st.none() | st.integers(-2, 2))
    def move_to_the_end(self, data, priority):
        i = data.draw(st.integers(0, len(self.model) - 1))
        own, moved = self.model.pop(i)
        self.studio.jobs.move(moved, None, priority)
        self._put(len(self.model), own if priority is None else priority, moved)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), dies=st.booleans())
    def run(self, data, dies):
        job, held = self.studio.leases.claim("host:1:a")
        assert job.id == self.model[0][1]
        if dies:
            self.studio.leases.give_back(held)  # its place is kept
        else:
            self.studio.leases.finish(held)
            del self.model[0]

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def cancel(self, data):
        i = data.draw(st.integers(0, len(self.model) - 1))
        self.studio.jobs.cancel(self.model.pop(i)[1])

    def _put(self, at, priority, name):
        self.model.insert(at, (priority, name))
        self.model.sort(key=lambda entry: -entry[0])

    def teardown(self):
        found = [(job.priority, job.id) for job in self.studio.jobs.waiting()]
        self.studio.close()
        self.folder.cleanup()
        assert found == self.model


class TestQueue(Queue.TestCase):
    settings = settings(max_examples=15, stateful_step_count=12)


@given(st.lists(st.integers(-100, 100), max_size=6))
@settings(max_examples=10)
def test_jobs_run_by_priority_then_in_the_order_they_came(priorities):
    with tempfile.TemporaryDirectory() as folder:
        studio = studio_in(Path(folder))
        ids = [studio.jobs.submit(wanted(), p).id for p in priorities]
        order = sorted(range(len(ids)), key=lambda i: (-priorities[i], i))
        ran = []
        while claimed := studio.leases.claim("host:1:a"):
            ran.append(claimed[0].id)
        studio.close()
    assert ran == [ids[i] for i in order]


def test_the_same_key_at_the_same_moment_is_the_same_job(tmp_path, monkeypatch):
    studio = studio_in(tmp_path)
    first = studio.jobs.submit(wanted(), client_key="mine")
    real, asked = studio.jobs._known, []

    def late(client_key, recipe):
        """As if the other's job came right after this was asked."""
        asked.append(client_key)
        return real(client_key, recipe) if len(asked) > 1 else None

    monkeypatch.setattr(studio.jobs, "_known", late)
    assert studio.jobs.submit(wanted(), client_key="mine").id == first.id
    assert len(studio.jobs.listed()) == 1
    studio.close()


def test_jobs_are_found_by_their_key_and_while_they_wait(tmp_path):
    studio = studio_in(tmp_path)
    jobs = [studio.jobs.submit(wanted(), client_key=key) for key in ("a", "b")]
    assert studio.jobs.of_key("a").id == jobs[0].id
    assert studio.jobs.of_key("c") is None
    studio.jobs.pause(jobs[0].id)
    studio.jobs.cancel(jobs[1].id)
    assert studio.jobs.still_waiting({job.id for job in jobs}) == {jobs[0].id}
    studio.close()
