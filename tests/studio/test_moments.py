"""A moment of a job becomes a picture that something else can start from."""

import pytest

from phosphene.core.errors import NotFound, RecipeError
from phosphene.core.image_files import open_pil
from phosphene.studio.job_events import read_events
from phosphene.studio.moments import keep_moment
from phosphene.studio.recipe_text import parse_recipe
from phosphene.studio.repair import repair
from tests.studio.studios import hang, picture, studio_in, wanted
from tests.web.pages.visitor import preview, step, take


def test_a_moment_is_kept_once(tmp_path):
    studio = studio_in(tmp_path)
    parent = hang(studio, picture("owl"))
    job = studio.jobs.submit(wanted("fox", init_image=f"artifact:{parent}"))
    held = take(studio)
    step(studio, held, 1, 4, preview("red"))
    step(studio, held, 2, 4)
    shown, bare = (e for e in read_events(studio.database, 0, job.id) if e.kind == "step")
    kept = keep_moment(studio, job.id, shown.id)
    assert keep_moment(studio, job.id, shown.id) == kept
    assert (kept.title, kept.origin, kept.seed, kept.manifest) == ("fox", "moment", "", None)
    image = open_pil(studio.store.read(kept.id))
    assert image.size == (kept.width, kept.height) == (16, 16)
    assert studio.gallery.kin(kept.id).parents == [parent]
    with pytest.raises(NotFound):
        keep_moment(studio, job.id, bare.id)
    with pytest.raises(NotFound):
        keep_moment(studio, "none", shown.id)
    assert not repair(studio).lost
    assert studio.gallery.get(kept.id) == kept
    studio.close()


def test_a_training_has_no_moments(tmp_path):
    studio = studio_in(tmp_path)
    recipe = parse_recipe({"kind": "train", "learner": "gan", "steps": 50})
    job = studio.jobs.submit(recipe)
    with pytest.raises(RecipeError, match="paints no picture"):
        keep_moment(studio, job.id, 1)
    studio.close()
