"""Genes of seeds and pictures, in every space that a model has."""

import pytest
import torch

from phosphene.core.errors import RecipeError, Unsupported
from phosphene.core.latent import Latent, Space
from phosphene.explore.breed import Genes
from phosphene.explore.genes_text import genes_text
from phosphene.studio.recipe import Sample
from phosphene.studio.run import run
from phosphene.studio.stock import Stock, open_stock
from tests.studio.gan_kinds import KINDS, save_kind


@pytest.fixture(scope="module", params=KINDS)
def stock(request, zoo, tmp_path_factory):
    return open_stock(save_kind(tmp_path_factory.mktemp("gans"), request.param), zoo)


@pytest.fixture(scope="module")
def styled(zoo, tmp_path_factory):
    return open_stock(save_kind(tmp_path_factory.mktemp("styled"), "stylegan2"), zoo)


def test_a_founder_is_the_sample_of_its_seed(stock, zoo):
    genes = stock.founder(7, {})
    (step,) = run(Sample(model=stock.model, seed=7), zoo)
    torch.testing.assert_close(stock.picture(genes, noise_of=7), step.images, atol=1e-5, rtol=1e-4)
    assert stock.space is (Space.W if stock.dreamer.styled else Space.Z)
    assert torch.equal(stock.founder(7, {}).latent.data, genes.latent.data)


def test_classes_by_name(zoo, tmp_path):
    by_class = open_stock(save_kind(tmp_path, "biggan"), zoo)
    genes = by_class.founder(7, {"owl": 0.25, "fox": 0.75})
    assert genes.classes.tolist() == [[0.75, 0.25, 0.0]]
    assert float(by_class.founder(7, {}).classes.sum()) == 1
    with pytest.raises(RecipeError, match="no class 'dog'"):
        by_class.founder(7, {"dog": 1.0})
    with pytest.raises(Unsupported, match="knows no classes"):
        open_stock(save_kind(tmp_path, "dcgan"), zoo).founder(7, {"owl": 1.0})


def test_richer_spaces_show_the_same_picture(styled):
    pictures = []
    for space in (Space.Z, Space.W, Space.W_PLUS):
        stock = Stock(styled.dreamer, space)
        genes = stock.founder(7, {})
        assert genes.latent.space is space
        pictures.append(stock.picture(genes))
        lifted = Stock(styled.dreamer, Space.W_PLUS).lifted(genes)
        torch.testing.assert_close(stock.picture(lifted), pictures[0], atol=1e-5, rtol=1e-4)
    with pytest.raises(RecipeError, match="cannot be had in w; use w_plus"):
        styled.lifted(lifted)


def test_psi_leads_to_the_mean(styled, zoo, tmp_path):
    genes = styled.founder(7, {})
    mean = styled.picture(Genes(genes.latent.with_data(styled.centre[None])))
    none = Stock(styled.dreamer, Space.W, psi=0.0).picture(genes)
    torch.testing.assert_close(none, mean, atol=1e-5, rtol=1e-4)
    half = Stock(styled.dreamer, Space.W, psi=0.5).picture(genes)
    assert (half - mean).abs().mean() < (styled.picture(genes) - mean).abs().mean()
    in_z = Stock(styled.dreamer, Space.Z, psi=0.5)
    torch.testing.assert_close(in_z.picture(in_z.founder(7, {})), half, atol=1e-5, rtol=1e-4)
    plain = open_stock(save_kind(tmp_path, "dcgan"), zoo, psi=0.5)
    z = plain.founder(7, {}).latent
    wanted = Stock(plain.dreamer, Space.Z).picture(Genes(z.with_data(z.data / 2)))
    assert torch.equal(plain.picture(Genes(z)), wanted)


def test_found_genes_are_checked(stock):
    genes = stock.founder(3, {})
    assert torch.equal(stock.found(genes_text(genes)).latent.data, genes.latent.data)
    other = genes_text(Genes(Latent(stock.space, torch.zeros(1, 33)), genes.classes))
    with pytest.raises(RecipeError, match=r"are not of .*; take the model"):
        stock.found(other)


def test_what_a_model_lacks(zoo, tmp_path):
    with pytest.raises(RecipeError, match="has no styles, so no w_plus"):
        open_stock(save_kind(tmp_path, "dcgan"), zoo, space=Space.W_PLUS)
    with pytest.raises(Unsupported, match="no generator"):
        open_stock("tiny-vqgan", zoo)
