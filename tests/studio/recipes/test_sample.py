from phosphene.studio.recipes.sample import Sample


def test_a_seed_is_drawn_where_none_is_named():
    assert Sample().with_seed().seed is not None
    for named in (Sample(seed=0), Sample(seeds="3-4")):
        assert named.with_seed() is named


def test_its_files_are_named_after_the_generator_and_seeds():
    recipe = Sample(model="runs/x.safetensors", seeds="3,9")
    assert (recipe.title, recipe.labels()) == ("x", ["3", "9"])
    assert Sample(seeds="3,9", layout="grid").labels() == ["3-grid"]
