"""References to pictures of the gallery: wherever a file may be named, and nowhere a path."""

from phosphene.studio.recipe_text import parse_recipe
from phosphene.studio.references import descended_from, file_name, is_id, referenced, with_files
from tests.studio.studios import wanted

A, B = "a" * 64, "0" * 63 + "b"


def test_references_are_found_and_become_files():
    recipe = wanted(
        f"fox | artifact:{A}:0.5 ^ owl",
        init_image=f"artifact:{B}",
        image_prompts=(f"artifact:{A}:2",),
    )
    assert referenced(recipe) == [B, A] or referenced(recipe) == [A, B]
    files = with_files(recipe)
    assert files.prompt == f"fox | {A}.png:0.5 ^ owl"
    assert (files.init_image, files.image_prompts) == (f"{B}.png", (f"{A}.png:2",))


def test_parents_of_sheets_and_walks_and_examples():
    breed = parse_recipe({"kind": "breed", "parents": ["7", f"artifact:{A}:3"]})
    assert with_files(breed).parents == ("7", f"{A}.png:3")
    walk = parse_recipe({"kind": "walk", "path": f"z = artifact:{A} ~ 7"})
    assert with_files(walk).path == f"z = {A}.png ~ 7"
    edit = parse_recipe(
        {
            "kind": "edit",
            "seed": 1,
            "layout": "sheet",
            "attributes": {"hat": {"having": ["1", f"artifact:{A}"], "lacking": ["2"]}},
        }
    )
    assert with_files(edit).attributes["hat"].having == ("1", f"{A}.png")


def test_what_is_no_reference_stays():
    recipe = wanted(f"artifact:{A}0 | artifact:{A[:-1]} | artifact:../../x.png")
    assert referenced(recipe) == []
    assert with_files(recipe) is recipe


def test_ids_are_nobodys_path():
    assert is_id(A)
    for wrong in ("", A[:-1], A + "a", A.upper(), "../" + A[3:], A[:-1] + "/", A + "\n"):
        assert not is_id(wrong), wrong
    assert file_name(A) == f"{A}.png"


def test_who_is_only_liked_is_no_parent():
    fields = {"parents": ["7", f"artifact:{A}"], "liked": f"artifact:{B}", "siblings": 4}
    breed = parse_recipe({"kind": "breed", **fields})
    assert sorted(referenced(breed)) == sorted([A, B])
    assert descended_from(breed) == [A]
    assert with_files(breed).liked == (f"{B}.png",)
    paint = wanted("fox", init_image=f"artifact:{B}")
    assert descended_from(paint) == [B]
