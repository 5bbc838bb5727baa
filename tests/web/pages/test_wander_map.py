"""The map as it is seen: a mark that is dragged or led by keys, and that the map follows."""

from types import SimpleNamespace

import pytest
from nicegui import ui

from phosphene.web.pages.latent_map import FARTHEST, Place
from phosphene.web.pages.wander_map import SIDE, WanderMap, address_of, stepped
from tests.web.pages.visitor import visit

START = "/wander?model=digits-cgan&origin=7000"


@pytest.mark.parametrize(
    ("key", "is_leap", "to"),
    [
        ("ArrowRight", False, (0.6, -0.25)),
        ("ArrowUp", False, (0.5, -0.35)),
        ("ArrowLeft", True, (-1, 0)),
        ("ArrowDown", True, (0, 1)),
        ("a", False, (0.5, -0.25)),
    ],
)
def test_keys_lead_on(key, is_leap, to):
    place = stepped(Place(0.5, -0.25, 0.7), key, is_leap)
    assert (place.x, place.y, place.psi) == (*to, 0.7)


def map_of(user):
    (found,) = (e for e in user.client.elements.values() if "latent-map" in e.classes)
    return found


def send(user, event, *args):
    (listener,) = (x for x in map_of(user)._event_listeners.values() if x.type == event)
    with user.client:
        return listener.handler(SimpleNamespace(args=list(args)))


def tiles(user):
    return [e.props["src"] for e in map_of(user).descendants() if e.tag == "img"]


def test_it_follows_to_its_edge(tmp_path, monkeypatch):
    async def painted(*_):
        return b""

    monkeypatch.setattr("phosphene.web.pages.wander.painted", painted)

    async def what(user, studio):
        await user.open(START)
        middle = tiles(user)[SIDE * SIDE // 2]
        assert middle == "/wander.png?model=digits-cgan&seed=7000&path=z+%3D+7000"
        assert "z+%3D+4998" in tiles(user)[0]
        await send(user, "pointermove", 2.25, 0.5)
        assert tiles(user)[SIDE * SIDE // 2] == middle  # not while one drags
        await send(user, "pointerup", 2.25, 0.5)
        assert "z+%3D+7002" in tiles(user)[SIDE * SIDE // 2]
        assert (map_of(user).props["data-x"], map_of(user).props["data-y"]) == (2, 0)
        await send(user, "keydown", "ArrowRight", True)
        assert "z+%3D+7002" in tiles(user)[SIDE * SIDE // 2]  # (3, 0) is one beside it
        await send(user, "keydown", "ArrowRight", True)
        assert "z+%3D+7004" in tiles(user)[SIDE * SIDE // 2]

    visit(tmp_path, monkeypatch, what)


def test_it_has_an_end(tmp_path, monkeypatch):
    async def what(user, studio):
        await user.open("/person")  # any page, to build on
        with user.client, ui.element("div"):
            from phosphene.web.pages.latent_map import Route

            route = Route("digits-cgan", here=Place(FARTHEST, 0))
            seen = WanderMap(route, lambda x, y: None)
            seen.show()
            assert seen.middle == (FARTHEST, 0)
            assert len({tile.props["src"] for tile in seen.tiles}) == SIDE * SIDE
            assert "path=z" in address_of(route.picture())

    visit(tmp_path, monkeypatch, what)
