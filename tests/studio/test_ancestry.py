"""Pictures become members of a family tree: by seed, by lineage, or by genes that they carry."""

import pytest
import torch

from phosphene.core.errors import ImageError, RecipeError
from phosphene.core.images import save_png
from phosphene.core.weights import save_weights
from phosphene.explore.family_tree import Individual
from phosphene.explore.genes_text import genes_from
from phosphene.studio import start
from phosphene.studio.ancestry import is_seed, named, origin_of, path_of, read_tree
from phosphene.studio.craft import Painted
from phosphene.studio.recipe import Breed, Edit, Imagine, Sample
from phosphene.studio.run import run
from phosphene.zoo import Zoo
from tests.studio.fakes import tiny
from tests.studio.gan_kinds import network_of, save_kind


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("gans")


def saved(recipe, zoo, folder, name="x"):
    """Carry a recipe out; returns the paths of its pictures."""
    paths = []
    for step in run(recipe, zoo):
        if isinstance(step, Painted):
            paths.append(folder / f"{name}-{len(paths)}.png")
            step.artifact.save(paths[-1])
    return [str(path) for path in paths]


def test_a_sample_is_its_seed_with_its_class(zoo, folder):
    model = save_kind(folder, "biggan")
    one, two = saved(Sample(model=model, seed=4, count=2, classes=("owl",)), zoo, folder)
    origin = origin_of(two, zoo)
    (member,) = origin.tree.members
    assert (member.id, member.seed, member.classes) == ("5 owl", 5, (("owl", 1.0),))
    assert (origin.model, origin.space, origin.name) == (model, None, "5 owl")
    assert origin_of(f"{one}:1", zoo).name == "4 owl"


def test_one_of_a_grid(zoo, folder):
    recipe = Sample(
        model=save_kind(folder, "biggan"),
        seeds="3,9",
        classes=("owl", "fox:0.5+cat:0.5"),
        layout="grid",
    )
    (grid,) = saved(recipe, zoo, folder, "grid")
    assert origin_of(f"{grid}:2", zoo).name == "9 fox:0.5+cat:0.5"
    for entry, said in (
        (grid, "shows 2 pictures; name one as"),
        (f"{grid}:3", "there are 2 pictures, numbered from 1"),
        (f"{grid}:0", "numbered from 1"),
    ):
        with pytest.raises(RecipeError, match=said):
            origin_of(entry, zoo)


def test_a_truncated_sample_brings_its_genes(zoo, folder):
    model = save_kind(folder, "stylegan2")
    (path,) = saved(Sample(model=model, seed=4, truncation_psi=0.0), zoo, folder, "psi")
    origin = origin_of(path, zoo)
    (member,) = origin.tree.members
    assert (member.operator, origin.space) == ("found", "w")
    w_avg = zoo.load(model).w_avg
    torch.testing.assert_close(genes_from(member.found).latent.data[0], w_avg)


def test_a_child_brings_its_line(zoo, folder):
    model = save_kind(folder, "dcgan")
    recipe = Breed(model=model, parents=("3", "8", "9"), children=3, seed=5, layout="files")
    child = saved(recipe, zoo, folder, "child")[0]
    origin = origin_of(child, zoo)
    assert [member.id for member in origin.tree.members] == ["3", "8", origin.name]
    assert origin.space == "z"
    (sheet,) = saved(recipe.model_copy(update={"layout": "sheet"}), zoo, folder, "sheet")
    assert origin_of(f"{sheet}:1", zoo) == origin
    with pytest.raises(RecipeError, match="one picture in this file"):
        origin_of(f"{child}:2", zoo)


def test_what_was_found_brings_its_genes(zoo, folder, monkeypatch):
    monkeypatch.setattr(start, "NUM_DRAWS", 2)
    model = save_kind(folder, "biggan")
    edited = saved(Edit(model=model, seed=3, directions=("sefa0:1",)), zoo, folder, "edit")[0]
    wish = {"method": "gan-clip", "width": None, "height": None, "iterations": 2}
    steered = saved(tiny(model=model, **wish), zoo, folder, "steered")[0]
    for path in (edited, steered):
        origin = origin_of(path, zoo)
        (member,) = origin.tree.members
        assert member.operator == "found"
        genes = genes_from(member.found)
        assert genes.latent.data.shape == (1, 12)
        assert float(genes.classes.sum()) == pytest.approx(1)
    assert origin_of(edited, zoo).name != origin_of(steered, zoo).name


def test_pictures_without_genes(zoo, folder):
    save_png(torch.zeros(3, 8, 8), folder / "photo.png")
    with pytest.raises(ImageError, match="carries no phosphene recipe"):
        origin_of(str(folder / "photo.png"), zoo)
    with pytest.raises(ImageError, match="no image at"):
        origin_of("nobody.png", zoo)
    (painted,) = saved(tiny(iterations=1), zoo, folder, "codes")
    with pytest.raises(RecipeError, match="has no genes: it is a picture of `imagine`"):
        origin_of(painted, zoo)
    assert isinstance(tiny(), Imagine)


def test_other_weights_under_the_same_name(zoo, tmp_path):
    model = save_kind(tmp_path, "dcgan")
    (path,) = saved(Sample(model=model, seed=4), zoo, tmp_path)
    network, config = network_of("dcgan")
    with torch.no_grad():
        next(network.parameters()).add_(1)
    whole = {"family": "gan", "arch": "dcgan", "size": 16, **config}
    save_weights(tmp_path / "dcgan.safetensors", network.state_dict(), whole)
    with pytest.raises(RecipeError, match="made with other weights"):
        origin_of(path, Zoo(zoo.home))
    (tmp_path / "dcgan.safetensors").unlink()
    with pytest.raises(RecipeError, match="is of the model"):
        origin_of(path, Zoo(zoo.home))


def test_names():
    assert is_seed("7")
    assert not any(map(is_seed, ("", "-7", "7.5", "٧", "a.png")))
    assert str(path_of("a/sheet.png:3")) == "a/sheet.png"
    assert str(path_of("a/b.png")) == "a/b.png"
    ann = named(Individual("x", "cross", 1, ("3", "8"), 0.5, mutation=0.2))
    assert ann.id == named(ann).id
    others = {"seed": 2, "parents": ("8", "3"), "amount": 0.4, "mutation": 0.1}
    for field, value in others.items():
        changed = {"seed": 1, "parents": ("3", "8"), "amount": 0.5, "mutation": 0.2, field: value}
        assert named(Individual("x", "cross", **changed)).id != ann.id


def test_trees_from_files(tmp_path):
    with pytest.raises(RecipeError, match="cannot read the family tree"):
        read_tree(tmp_path / "none.json")
    (tmp_path / "x.json").write_bytes(b"\xff\xfe")
    with pytest.raises(RecipeError, match="it is not text"):
        read_tree(tmp_path / "x.json")
    (tmp_path / "y.json").write_text("{}")
    with pytest.raises(RecipeError, match="not of version"):
        read_tree(tmp_path / "y.json")
