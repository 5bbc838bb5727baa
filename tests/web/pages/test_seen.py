"""What taste is learnt from: stars and the rest, of these weights, in this space."""

import json

from phosphene.explore.family_tree import FamilyTree, Individual
from phosphene.studio.live import Live
from phosphene.web.house import House, Settings
from phosphene.web.limits import Ledger, Limits
from phosphene.web.pages.seen import Seen, seen_of, space_of
from phosphene.zoo.fetch import identity
from phosphene.zoo.registry import card
from tests.studio.studios import hang, picture, studio_in

MODEL = "digits-cgan"


def house_in(folder):
    settings = Settings(folder, folder / "home", devices=())
    return House(studio_in(folder), settings, Ledger(Limits()), Live(settings.home))


def dream(house, seed, model=MODEL, star=False, weights=None, **fields):
    weights = weights or identity(card(model, house.settings.home), house.settings.home)
    recipe = {"kind": "sample", "model": model, "seed": seed, **fields}
    name = hang(house.studio, picture(recipe=recipe, seed=seed, models={model: weights}))
    house.studio.gallery.star(name, star)
    return name


def child(house, space, star=False):
    weights = identity(card(MODEL, house.settings.home), house.settings.home)
    members = (Individual("3", seed=3), Individual("a", "mutate", 1, ("3",)))
    family = json.loads(FamilyTree(MODEL, members, space).to_json())
    recipe = {"kind": "breed", "model": MODEL, "parents": ["3"], "layout": "files"}
    recipe |= {"family": family, "born": ["a"], "children": 1, "seed": 1, "space": space}
    name = hang(house.studio, picture(recipe=recipe, seed=1, models={MODEL: weights}))
    house.studio.gallery.star(name, star)
    return name


def test_stars_and_the_rest(tmp_path):
    house = house_in(tmp_path)
    three = dream(house, 3, star=True)
    dream(house, 8)
    bred = child(house, "z", star=True)
    by_class = dream(house, 9, classes=["3"])
    seen = seen_of(house, MODEL, "z")
    assert set(seen.liked) == {"3", f"artifact:{bred}"}
    assert set(seen.others) == {"8", f"artifact:{by_class}"}
    assert seen.hung["3"] == three


def test_what_would_make_a_job_fail_is_left_out(tmp_path):
    house = house_in(tmp_path)
    dream(house, 3, star=True, weights="of another day")
    dream(house, 4, star=True, layout="grid", count=2)
    dream(house, 5, star=True, model="faces-dcgan", weights="x")
    child(house, "w", star=True)
    hang(house.studio, picture("fox"))
    house.studio.gallery.delete(dream(house, 6, star=True))
    assert seen_of(house, MODEL, "z") == Seen([], [], {})
    assert seen_of(house, "no-such-model", "z") == Seen([], [], {})


def test_dreams_on_the_page_were_seen_too():
    seen = Seen(["3"], ["8"], {}).without(["3", "8", "9"])
    assert (seen.liked, seen.others) == (["3"], ["9", "8"])


def test_where_children_are_bred(tmp_path):
    house = house_in(tmp_path)
    assert space_of(house, "emoji-stylegan2") == "w"
    assert space_of(house, "faces-dcgan") == "z"
