"""What the server holds."""

from phosphene.web.house import House, Settings
from tests.studio.studios import studio_in


def test_models_are_those_of_the_registry(tmp_path):
    studio = studio_in(tmp_path)
    house = House(studio, Settings(tmp_path, tmp_path / "home"))
    assert "emoji-vqgan" in house.model_names()
    assert not house.is_closing()
    studio.close()
