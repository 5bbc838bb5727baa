import pytest

from phosphene.core.errors import RecipeError
from phosphene.studio.recipe import Imagine, Incantation
from phosphene.studio.recipe_text import dump_recipe, load_recipe, parse_recipe
from phosphene.studio.recipes.incantation import read_prompts


def test_an_experiment_in_a_file(tmp_path):
    (tmp_path / "x.toml").write_text(
        'kind = "incantation"\nwords = "neon"\nprompts = ["red apple", "dog ^ cat"]\n'
        "[of]\niterations = 8\n"
    )
    recipe = load_recipe(tmp_path / "x.toml")
    assert isinstance(recipe, Incantation)
    assert recipe.of == Imagine(prompt="...", iterations=8)
    assert recipe.all_seeds() == (0, 1, 2, 3)
    assert recipe.labels() == ["incantation-0"]
    assert recipe.title == "neon"
    assert recipe.cell("red apple", 2, spoken=False) == Imagine(
        prompt="red apple", iterations=8, seed=2
    )
    assert recipe.cell("dog ^ cat", 2, spoken=True).prompt == "dog | neon ^ cat | neon"
    (tmp_path / "x.json").write_text(dump_recipe(recipe))
    assert load_recipe(tmp_path / "x.json") == recipe


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"prompts": ["a"]}, "prompts"),
        ({"seeds": "3"}, "seeds: should be at least two|at least two"),
        ({"seeds": "3,4,3"}, "none twice"),
        ({"prompts": ["a"] * 256, "seeds": "0-9"}, "5120 pictures; use up to 1024"),
        ({"words": "{a|b}"}, "should leave nothing open"),
        ({"words": "a ^ b"}, "should be phrases"),
        ({"words": "cat.png"}, "not a picture"),
        ({"words": "neon:0"}, "all weights are 0"),
        ({"of": {"count": 2}}, "should ask for one picture"),
        ({"of": {"alternatives": "all"}}, "should ask for one picture"),
        ({"of": {"sed": 2}}, "unknown key 'sed'; did you mean 'seed'"),
    ],
)
def test_what_is_no_experiment(fields, said):
    with pytest.raises(RecipeError, match=said) as caught:
        parse_recipe({"kind": "incantation", "words": "x", "prompts": ["a", "b"], **fields})
    assert "\n" not in str(caught.value)


def test_braces_may_be_words_where_they_are_text():
    fields = {"prompts": ("a", "b"), "of": {"alternatives": "none"}}
    assert Incantation(words="{a|b}", **fields).words == "{a|b}"


def test_a_file_of_prompts(tmp_path):
    (tmp_path / "p.txt").write_text("red apple\n\n  dog face | neon \r\n")
    assert read_prompts(tmp_path / "p.txt") == ("red apple", "dog face | neon")
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(RecipeError, match="not text"):
        read_prompts(tmp_path / "b.txt")
    with pytest.raises(RecipeError, match="cannot read the prompts"):
        read_prompts(tmp_path / "none.txt")
    (tmp_path / "large.txt").write_text("x" * 1_000_001)
    with pytest.raises(RecipeError, match="larger than"):
        read_prompts(tmp_path / "large.txt")
