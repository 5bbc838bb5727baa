"""The table of pages: what it names exists, and stands in the navigation once."""

import importlib

from nicegui import Client

from phosphene.web.pages.mounted import prepared
from phosphene.web.pages.places import PLACES


def test_each_place_is_a_page():
    prepared()
    for place in PLACES.values():
        importlib.import_module(place.module)
    assert set(PLACES) == set(Client.page_routes.values())
    titles = [place.title for place in PLACES.values() if place.title]
    assert len(titles) == len(set(titles))
    assert titles[0] == "Imagine"
