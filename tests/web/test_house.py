"""What the server holds."""

import pytest

from phosphene.core.errors import RecipeError
from phosphene.studio.forecast import Forecast
from phosphene.studio.live import Live
from phosphene.studio.recipe_text import parse_recipe
from phosphene.web.house import House, Settings
from phosphene.web.limits import Ledger, Limits
from tests.studio.fakes import make_zoo
from tests.studio.studios import studio_in, wanted


@pytest.fixture
def house(tmp_path):
    studio = studio_in(tmp_path)
    yield House(studio, Settings(tmp_path, tmp_path / "home"), Ledger(Limits()), Live(tmp_path))
    studio.close()


def test_models_are_those_of_the_registry(house):
    assert "emoji-vqgan" in house.model_names()
    assert not house.is_closing()


def test_a_model_that_is_new_is_found_in_a_moment(house, monkeypatch):
    assert "tiny-vqgan" not in house.model_names()
    make_zoo(house.settings.home)
    monkeypatch.setattr("phosphene.web.house.CARDS_SECONDS", 0.0)
    assert "tiny-vqgan" in house.model_names()


def test_weights_are_told_apart(house, monkeypatch):
    monkeypatch.setattr("phosphene.web.house.CARDS_SECONDS", 0.0)
    make_zoo(house.settings.home, seed=0)
    first = house.weights_of(["tiny-vqgan", "nobody"])
    make_zoo(house.settings.home, seed=1)
    second = house.weights_of(["tiny-vqgan"])
    assert list(first) == list(second) == ["tiny-vqgan"]
    assert first != second
    assert set(house.weights_of(["emoji-clip"])) > {"emoji-clip"}  # and what it is made of


def test_what_names_a_file_is_not_submitted(house):
    recipe = parse_recipe({"kind": "imagine", "prompt": "fox", "init_image": "/etc/x.png"})
    with pytest.raises(RecipeError, match="init_image"):
        house.submit("a", recipe)
    assert house.submit("a", wanted()).state == "queued"


def test_nobody_trains_but_on_the_folders_that_are_open(tmp_path, house):
    fields = {"kind": "train", "learner": "gan", "steps": 3, "data": "folder:cats"}
    assert house.data_folders() is None
    with pytest.raises(RecipeError, match="--data-dir"):
        house.submit("a", parse_recipe(fields))
    (tmp_path / "open" / "cats").mkdir(parents=True)
    (tmp_path / "open" / "out").symlink_to("/etc")
    settings = Settings(tmp_path, tmp_path / "home", data=tmp_path / "open")
    open_house = House(house.studio, settings, Ledger(Limits()), house.live)
    assert open_house.data_folders() == ["cats"]
    for data in ("folder:out", "folder:../open/cats", "folder:/etc", "/etc", "cats"):
        with pytest.raises(RecipeError, match="is no `folder:NAME`"):
            open_house.submit("a", parse_recipe({**fields, "data": data}))
    (tmp_path / "open" / "cats" / "index.json").symlink_to("/etc/passwd")
    with pytest.raises(RecipeError, match="by links"):
        open_house.submit("a", parse_recipe(fields))
    (tmp_path / "open" / "cats" / "index.json").unlink()
    job = open_house.submit("a", parse_recipe(fields))
    assert job.parsed().data == "folder:cats"  # its path is found where it is carried out


def test_a_forecast_is_believed_for_a_moment(house, monkeypatch):
    asked, guess = [], Forecast(3.0, 2.0, 4.0, 1, True)
    monkeypatch.setattr("phosphene.web.house.forecast", lambda *_: asked.append(1) or guess)
    assert [house.forecast(wanted()) for _ in range(3)] == [guess] * 3
    assert len(asked) == 1
    monkeypatch.setattr("phosphene.web.house.FORECAST_SECONDS", -1.0)
    house.forecast(wanted())
    assert len(asked) == 2
