import pytest

from phosphene.training.emoji_names import (
    FX_NAMES,
    Concept,
    add_name,
    code_of,
    is_held_out,
    settle_names,
    slug,
    spoken,
    squeeze,
    wanted,
)


def test_slugs():
    assert slug("woman’s hat") == "womans-hat"
    assert slug("piñata") == "pinata"
    assert squeeze("Woman's-Hat") == "womanshat"
    assert code_of("2764-FE0F-200D-1F525") == "2764-200d-1f525"


def test_labels_are_spoken():
    assert spoken("man: red hair") == "man with red hair"
    assert spoken("woman: bald") == "bald woman"
    assert spoken("dog face") == "dog face"


@pytest.mark.parametrize(
    ("name", "group", "subgroup"),
    [
        ("middle-finger", "people-body", "hand-single-finger"),
        ("flag-france", "flags", "country-flag"),
        ("keycap-1", "symbols", "keycap"),
        ("up-arrow", "symbols", "arrow"),
        ("one-oclock", "travel-places", "time"),
        ("family-man-boy", "people-body", "family"),
        ("person-running-facing-right", "people-body", "person-activity"),
        ("black-medium-small-square", "symbols", "geometric"),
        ("hundred-points", "smileys-emotion", "emotion"),
    ],
)
def test_signs_are_not_wanted(name, group, subgroup):
    assert not wanted(name, group, subgroup)


def test_pictures_are_wanted():
    assert wanted("dog-face", "animals-nature", "animal-mammal")
    assert wanted("red-circle", "symbols", "geometric")
    assert wanted("alarm-clock", "travel-places", "time")


def test_about_five_percent_are_held_out():
    share = sum(is_held_out(f"thing-{i}") for i in range(4000)) / 4000
    assert 0.04 < share < 0.06


def test_the_held_out_never_change():
    assert is_held_out("swan")
    assert is_held_out("duck")
    assert not is_held_out("dog-face")


def test_variants_stay_together_and_colours_train():
    for core in (f"job-{i}" for i in range(200)):
        assert is_held_out(f"man-{core}") == is_held_out(f"woman-{core}") == is_held_out(core)
        assert not is_held_out(f"blue-{core}")
        assert not is_held_out(core, "heart")


def concept(label, **kwargs):
    return Concept(slug(label), label, "objects", "tool", **kwargs)


def test_synonyms_say_something_new():
    dog = concept("big dog")
    for name in ("big_dog", "dog", "red_dog", "dog2", "hound", "Hound", "shit"):
        add_name(dog, name)
    assert dog.names == ["hound"]


def test_a_synonym_means_one_thing():
    a = concept("airplane", names=["jet", "flyer"])
    b = concept("flyer", names=["jet"])
    settle_names([a, b])
    assert "jet" not in a.names + b.names
    assert "flyer" not in a.names
    assert "plane" in a.names


def test_fx_names_are_slugs():
    assert all(slug(name) == name for name in FX_NAMES.values())
