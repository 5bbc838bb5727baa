"""One job carried out: events, pictures, and what a crash in between leaves."""

import json
import re
from pathlib import Path

import pytest

from phosphene.core.errors import NotFound, RecipeError
from phosphene.core.image_files import open_pil
from phosphene.core.images import save_png
from phosphene.core.rng import Rng
from phosphene.studio import carrying, record
from phosphene.studio.carrying import Stopped, carry_out, tidy_run
from phosphene.studio.gallery import Gallery, Search
from phosphene.studio.job import State
from phosphene.studio.job_events import preview_of, read_events
from phosphene.studio.leases import LeaseLost
from phosphene.studio.recipe import Animate
from phosphene.studio.recipe_text import parse_recipe
from phosphene.studio.repair import inspect, repair
from tests.studio.fakes import tiny
from tests.studio.studios import hang, picture


@pytest.fixture(autouse=True)
def always(monkeypatch):
    monkeypatch.setattr(record, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(carrying, "EVENT_SECONDS", 0.0)


def never() -> None:
    return None


def carried(studio, zoo, recipe, wish=never):
    """Submit a recipe, and carry it out once; returns job, hold and pace."""
    studio.jobs.submit(recipe)
    job, held = studio.leases.claim("elsewhere:1:a")
    return job, held, carry_out(studio, job, held, zoo, "cpu", wish=wish)


def again(studio, zoo, job):
    """Carry it out once more, as the worker after one that died."""
    studio.leases.reclaim({"elsewhere:1:a": "it died"})
    job, held = studio.leases.claim("elsewhere:1:a")
    return job, held, carry_out(studio, job, held, zoo, "cpu", wish=never)


def entries(studio):
    return studio.gallery.search(Search()).entries


def test_steps_become_events_and_pictures_go_into_the_gallery(studio, zoo):
    here = Path.cwd()
    job, held, pace = carried(studio, zoo, tiny(count=2, iterations=3))
    assert Path.cwd() == here
    assert pace.setup_seconds > 0
    assert pace.step_seconds > 0
    studio.leases.finish(held, pace)
    events = read_events(studio.database, job=job.id)
    steps = [e.data for e in events if e.kind == "step"]
    assert [s["step"] for s in steps] == list(range(1, 9))
    assert {s["total"] for s in steps} == {8}
    assert "loss" in steps[0]["scalars"]
    shown = next(e for e in events if e.has_preview)
    assert preview_of(studio.database, job.id, shown.id)[8:12] == b"WEBP"
    made = studio.gallery.made_by(job.id)
    assert set(made) == {0, 1}
    told = [e.data["artifact"] for e in events if e.kind == "picture"]
    assert told == [made[0], made[1]]
    for number, name in made.items():
        entry = studio.gallery.get(name)
        assert (entry.title, entry.seed, entry.model) == (
            "green heart | flat",
            str(7 + number),
            "tiny-vqgan",
        )
        assert studio.store.holds(name)
    tidy_run(studio, job)
    assert inspect(studio).is_clean


@pytest.mark.slow
def test_a_stop_then_the_same_picture(studio, zoo):
    straight, held, _ = carried(studio, zoo, tiny(iterations=9))
    studio.leases.finish(held)
    seen = []

    def third() -> State | None:
        seen.append(1)
        return State.PAUSED if len(seen) == 3 else None

    with pytest.raises(Stopped):
        carried(studio, zoo, tiny(iterations=9), third)
    (held,) = studio.leases.held_by("elsewhere:1:a")
    studio.leases.give_back(held, State.PAUSED)
    studio.jobs.resume(held.job)
    job, held = studio.leases.claim("elsewhere:1:a")
    carry_out(studio, job, held, zoo, "cpu", wish=never)
    first = [e.data["step"] for e in read_events(studio.database, job=job.id) if e.kind == "step"]
    assert first[:4] != [1, 2, 3, 1]  # it went on
    assert studio.gallery.made_by(job.id) == studio.gallery.made_by(straight.id)


def test_a_film_goes_on_with_the_frame_that_it_was_at(studio, zoo):
    film = Animate(of=tiny(iterations=3), num_frames=3, video="gif")
    straight, held, _ = carried(studio, zoo, film)
    studio.leases.finish(held)
    seen = []

    def sixth() -> State | None:  # a frame takes four steps
        seen.append(1)
        return State.PAUSED if len(seen) == 6 else None

    with pytest.raises(Stopped):
        carried(studio, zoo, film, sixth)
    (held,) = studio.leases.held_by("elsewhere:1:a")
    studio.leases.give_back(held, State.PAUSED)
    studio.jobs.resume(held.job)
    job, held = studio.leases.claim("elsewhere:1:a")
    carry_out(studio, job, held, zoo, "cpu", wish=never)
    steps = [e.data["step"] for e in read_events(studio.database, job=job.id) if e.kind == "step"]
    assert steps[6] == 4  # the first frame was there
    assert studio.gallery.made_by(job.id) == studio.gallery.made_by(straight.id)
    assert list(studio.gallery.attached(studio.gallery.made_by(job.id)[0])) == [".gif"]


def test_a_crash_between_file_and_row(studio, zoo, monkeypatch):
    def crash(*_, **__):
        raise KeyboardInterrupt("power is gone")

    with monkeypatch.context() as patched:
        patched.setattr(Gallery, "insert", crash)
        with pytest.raises(KeyboardInterrupt):
            carried(studio, zoo, tiny())
    (orphan,) = studio.store.all()
    assert entries(studio) == []
    assert inspect(studio).adopted == [orphan[0]]
    job, held, _ = again(studio, zoo, None)
    studio.leases.finish(held)
    assert [e.id for e in entries(studio)] == [orphan[0]]
    tidy_run(studio, job)
    assert inspect(studio).is_clean


def test_a_crash_between_row_and_end_and_a_repair_before_the_next_turn(studio, zoo):
    carried(studio, zoo, tiny(count=2))  # all is painted, and it dies before it says so
    before = entries(studio)
    for path in studio.store.artifacts.rglob("*.png"):
        path.rename(path.with_name(f".{path.name}.tmp"))  # as if written in part
    assert set(repair(studio).lost) == {e.id for e in before}
    job, held, _ = again(studio, zoo, None)
    studio.leases.finish(held)
    assert {e.id for e in entries(studio)} == {e.id for e in before}
    assert len(studio.gallery.made_by(job.id)) == 2
    pictures = [e for e in read_events(studio.database, job=job.id) if e.kind == "picture"]
    assert len(pictures) == 2


def test_who_lost_the_job_writes_nothing(studio, zoo):
    studio.jobs.submit(tiny())
    job, held = studio.leases.claim("elsewhere:1:a")
    studio.leases.reclaim({"elsewhere:1:a": "it died"})
    with pytest.raises(LeaseLost):
        carry_out(studio, job, held, zoo, "cpu", wish=never)
    assert entries(studio) == []


def test_pictures_of_the_gallery_are_named_by_id_and_become_parents(studio, zoo):
    parent = hang(studio, picture("fox"))
    recipe = tiny(init_image=f"artifact:{parent}", image_prompts=(f"artifact:{parent}:0.5",))
    job, _, _ = carried(studio, zoo, recipe)
    made = studio.gallery.made_by(job.id)[0]
    assert studio.gallery.kin(made).parents == [parent]
    manifest = json.dumps(studio.gallery.get(made).manifest)
    assert f"{parent}.png" in manifest
    assert str(studio.store.share) not in manifest


def test_a_picture_that_is_not_there_fails_the_job(studio, zoo):
    with pytest.raises(NotFound, match="not here"):
        carried(studio, zoo, tiny(init_image=f"artifact:{'0' * 64}"))


def test_a_checkpoint_that_cannot_be_gone_on_from_is_begun_anew(studio, zoo):
    def first() -> State:
        return State.QUEUED

    with pytest.raises(Stopped):
        carried(studio, zoo, tiny(), first)
    (held,) = studio.leases.held_by("elsewhere:1:a")
    studio.leases.give_back(held)
    checkpoint = studio.store.run_of(held.job) / "checkpoint.safetensors"
    assert checkpoint.is_file()
    checkpoint.write_bytes(b"of another version")
    job, held = studio.leases.claim("elsewhere:1:a")
    carry_out(studio, job, held, zoo, "cpu", wish=never)
    notes = [e.data for e in read_events(studio.database, job=job.id) if e.kind == "note"]
    assert notes[0]["lines"][0].startswith("begins anew: ")
    assert len(studio.gallery.made_by(job.id)) == 1


def test_a_recipe_that_cannot_be_carried_out_says_why(studio, zoo):
    with pytest.raises(RecipeError, match="no-such-model"):
        carried(studio, zoo, tiny(model="no-such-model"))


def test_a_film_comes_along(studio, zoo):
    job, _, _ = carried(studio, zoo, tiny(video="gif"))
    made = studio.gallery.made_by(job.id)[0]
    ((what, (digest, ending)),) = studio.gallery.attached(made).items()
    assert (what, ending) == (".gif", ".gif")
    assert studio.store.read(digest, ending)[:3] == b"GIF"


def learns(data: str, **fields):
    """A training that takes no time."""
    model = {"arch": "dcgan", "width": 4, "d_width": 4, "z_dim": 6}
    return parse_recipe(
        {
            "kind": "train",
            "learner": "gan",
            "name": "tiny",
            "data": data,
            "size": 16,
            "steps": 4,
            "batch_size": 4,
            "checkpoint_every": 1,
            "tensorboard": False,
            "model": model,
            **fields,
        }
    )


def test_a_training_by_name_tells_no_path(studio, zoo, tmp_path):
    save_png(Rng((0,)).uniform(3, 20, 20, low=-1)[0], tmp_path / "open" / "cats" / "x.png")
    (tmp_path / "open" / "dogs").mkdir()
    for data, place, said in (
        ("folder:cats", None, "--data-dir"),
        ("folder:../cats", tmp_path / "open", "no folder '../cats'"),
        ("folder:dogs", tmp_path / "open", "no usable picture for split 'train' in 'dogs'"),
    ):
        studio.jobs.submit(learns(data))
        job, held = studio.leases.claim("elsewhere:1:a")
        with pytest.raises(RecipeError, match=re.escape(said)) as error:
            carry_out(studio, job, held, zoo, "cpu", wish=never, data=place)
        assert str(tmp_path) not in str(error.value)
        studio.leases.fail(held, error.value)
    studio.jobs.submit(learns("folder:cats"))
    job, held = studio.leases.claim("elsewhere:1:a")
    carry_out(studio, job, held, zoo, "cpu", wish=never, data=tmp_path / "open")
    assert (studio.store.run_of(job.id) / "tiny.safetensors").is_file()
    events = read_events(studio.database, job=job.id)
    (sheet,) = (e for e in events if e.has_preview)
    shown = open_pil(preview_of(studio.database, job.id, sheet.id))
    whole = open_pil(studio.store.run_of(job.id) / "sheet-000004.png")
    assert shown.size == whole.size  # all of it, not the first picture
    assert str(tmp_path) not in str([e.data for e in events])
    assert str(tmp_path) not in studio.jobs.get(job.id).recipe


def test_a_training_goes_on_where_it_was_and_keeps_its_weights(studio, zoo, tmp_path, monkeypatch):
    for i in range(6):
        save_png(Rng((i,)).uniform(3, 20, 20, low=-1)[0], tmp_path / "data" / f"{i}.png")
    monkeypatch.chdir(tmp_path)  # its data are named as at the terminal
    straight, held, _ = carried(studio, zoo, learns("data"))
    studio.leases.finish(held)
    seen = []

    def second() -> State | None:
        seen.append(1)
        return State.QUEUED if len(seen) == 2 else None

    with pytest.raises(Stopped):
        carried(studio, zoo, learns("data"), second)
    (held,) = studio.leases.held_by("elsewhere:1:a")
    studio.leases.give_back(held)
    job, held = studio.leases.claim("elsewhere:1:a")
    carry_out(studio, job, held, zoo, "cpu", wish=never)
    studio.leases.finish(held)
    tidy_run(studio, job)
    weights = [studio.store.run_of(j.id) / "tiny.safetensors" for j in (straight, job)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    steps = [e.data["step"] for e in read_events(studio.database, job=job.id) if e.kind == "step"]
    assert steps == [1, 2, 3, 4]
    assert inspect(studio).is_clean
