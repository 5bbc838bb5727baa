"""What may be converted over HTTP, and what a model is called that nobody named."""

import pytest

from phosphene.core.errors import NotFound
from phosphene.studio.checkpoint_folders import CheckpointKind
from phosphene.studio.live import Live
from phosphene.web.conversions import convert, offered, proposed_name
from phosphene.web.failures import Refused
from phosphene.web.house import House, Settings
from phosphene.web.limits import Ledger, Limits
from tests.studio.studios import studio_in
from tests.zoo.taming_reference import drawn_weights, published
from tests.zoo.test_convert import GUMBEL


@pytest.fixture
def house(tmp_path):
    (tmp_path / "open").mkdir()
    published(GUMBEL, drawn_weights(GUMBEL), tmp_path / "open")
    studio = studio_in(tmp_path)
    settings = Settings(tmp_path, tmp_path / "home", checkpoints=(tmp_path / "open",))
    yield House(studio, settings, Ledger(Limits()), Live(tmp_path))
    studio.close()


def test_nobody_converts_where_no_folder_is_open(tmp_path, house):
    closed = House(house.studio, Settings(tmp_path, tmp_path), house.ledger, house.live)
    for ask in (
        lambda: offered(closed),
        lambda: convert(closed, CheckpointKind.TAMING, "open/last.ckpt"),
    ):
        with pytest.raises(Refused, match="--checkpoint-dir FOLDER") as caught:
            ask()
        assert caught.value.status == 403


@pytest.mark.slow
def test_a_model_is_there_at_once_and_not_replaced(house):
    assert offered(house) == ["open/last.ckpt"]
    before = house.model_names()
    made = convert(house, CheckpointKind.TAMING, "open/last.ckpt")
    assert made.name == "open"
    assert house.model_names() == [*before, "open"]
    with pytest.raises(Refused, match="there is a model 'open'") as caught:
        convert(house, CheckpointKind.TAMING, "open/last.ckpt", " open ")
    assert caught.value.status == 409


def test_the_name_of_a_card_that_cannot_be_read_is_taken(house):
    folder = house.settings.home / "models" / "broken"
    folder.mkdir(parents=True)
    (folder / "card.toml").write_text("no card")
    for name in ("broken", "emoji-vqgan"):
        with pytest.raises(Refused, match="choose another name") as caught:
            convert(house, CheckpointKind.TAMING, "open/last.ckpt", name)
        assert (caught.value.status, caught.value.param) == (409, "name")


def test_only_what_is_listed_is_read(house, monkeypatch):
    monkeypatch.setattr(house.converter, "convert", lambda *_: pytest.fail("it was read"))
    with pytest.raises(NotFound):
        convert(house, CheckpointKind.BIGGAN, "open/../open/last.ckpt")


@pytest.mark.parametrize(
    ("checkpoint", "name"),
    [
        ("models/vqgan_imagenet_f16.ckpt", "vqgan_imagenet_f16"),
        ("x/G EMA.pth", "g-ema"),
        ("BigGAN-deep-256/pytorch_model.bin", "biggan-deep-256"),
        ("x/💚.pkl", "converted"),
        (f"x/{'a' * 200}.pkl", "a" * 80),
    ],
)
def test_a_name_is_proposed(checkpoint, name):
    assert proposed_name(checkpoint) == name
