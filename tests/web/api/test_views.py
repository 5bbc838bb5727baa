"""Jobs and pictures as JSON."""

from dataclasses import asdict

from phosphene.studio.forecast import Forecast
from phosphene.web.api.views import ForecastView, JobView, PictureView, details
from tests.studio.studios import hang, picture, studio_in, wanted


def test_a_job(tmp_path):
    studio = studio_in(tmp_path)
    job = studio.jobs.submit(wanted())
    guess = Forecast(3.0, 2.0, 4.0, 1, True)
    view = JobView.of(job, {1: "b", 0: "a"}, guess)
    assert (view.pictures, view.progress, view.recipe["seed"]) == (["a", "b"], 0.0, 7)
    assert view.forecast == ForecastView(**guess._asdict())
    assert ForecastView.of(None) is None
    studio.close()


def test_a_picture_whose_seed_is_larger_than_numbers_in_json(tmp_path):
    studio = studio_in(tmp_path)
    entry = studio.gallery.get(hang(studio, picture(seed=2**63 - 1)))
    view = PictureView.of(entry)
    assert view.seed == str(2**63 - 1)
    assert view.image == f"/api/gallery/{entry.id}/image"
    whole = details(entry, ["p"], [], [".mp4"])
    assert whole.attachments == {".mp4": f"/api/gallery/{entry.id}/attachments/mp4"}
    assert whole.manifest == asdict(entry)["manifest"]
    studio.close()
