"""A studio: found, closed, and found again."""

from phosphene.studio.gallery import Search
from phosphene.studio.studio import open_studio
from tests.studio.studios import hang, picture, wanted


def test_what_is_in_it_stays(tmp_path):
    studio = open_studio(tmp_path / "new" / "studio")
    job, name = studio.jobs.submit(wanted()), hang(studio, picture("fox"))
    studio.close()
    again = open_studio(tmp_path / "new" / "studio")
    assert again.jobs.get(job.id) == job
    assert [e.id for e in again.gallery.search(Search()).entries] == [name]
    again.close()


def test_a_database_of_its_own(tmp_path):
    studio = open_studio(tmp_path / "studio", f"sqlite:///{tmp_path}/elsewhere.sqlite")
    hang(studio, picture("fox"))
    studio.close()
    assert (tmp_path / "elsewhere.sqlite").is_file()
    assert not list((tmp_path / "studio").glob("*.sqlite"))
