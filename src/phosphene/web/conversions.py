"""What a client may have converted: a checkpoint of the folders that are open, under a free name.

Page and API ask here, so that both refuse the same.
"""

import re

from phosphene.core.errors import RecipeError, WeightsError
from phosphene.studio.checkpoint_folders import (
    CheckpointKind,
    checkpoint_file,
    checkpoints,
    config_beside,
)
from phosphene.web.failures import Refused, snake
from phosphene.web.house import House
from phosphene.zoo.card import Card
from phosphene.zoo.registry import CARD_FILE, card, shipped_cards

MAX_NAME = 80
UNTOLD = ("pytorch_model", "model", "last")  # names of files that say nothing: the folder's does


def offered(house: House) -> list[str]:
    """The checkpoints that can be named; see `checkpoint_folders.checkpoints`.

    Raises:
        Refused: no folder is open.
    """
    if not house.settings.checkpoints:
        raise Refused(
            403,
            "not_allowed",
            "nobody may convert here; start `phosphene serve --checkpoint-dir FOLDER`",
        )
    return checkpoints(house.settings.checkpoints)


def convert(house: House, kind: CheckpointKind, checkpoint: str, name: str = "") -> Card:
    """Convert a checkpoint into a model; waits until it is done, which may be minutes.

    Args:
        checkpoint: A line of `offered`.
        name: What to call the model; nothing calls it as the checkpoint.
    Raises:
        NotFound: no such checkpoint is offered.
        Refused: no folder is open (403), the name is taken (409), or it is no checkpoint of that
            kind, or no name (422).
        TooMany: another one is being converted.
        StorageError, ProcessFailed: it went wrong here.
    """
    offered(house)
    path = checkpoint_file(house.settings.checkpoints, checkpoint)
    chosen = name.strip() or proposed_name(checkpoint)
    home = house.settings.home
    with house.converter.turn():
        if chosen in _taken(house):
            said = f"there is a model {chosen!r}; choose another name"
            raise Refused(409, "name_taken", said, "name")
        try:
            config = config_beside(kind, path)
            made = house.converter.convert(kind, path, config, chosen, home)
        except (RecipeError, WeightsError) as error:
            raise Refused(422, snake(type(error).__name__), str(error)) from None
    house.look_again()
    return card(made, home)


def proposed_name(checkpoint: str) -> str:
    """What a model is called whose name nobody chose: `models/G EMA.pth` becomes `g-ema`."""
    folder, _, file = checkpoint.partition("/")
    stem = file.rpartition(".")[0]
    text = (folder if stem.lower() in UNTOLD else stem).lower()
    return re.sub(r"[^a-z0-9._-]+", "-", text).strip("._-")[:MAX_NAME] or "converted"


def _taken(house: House) -> set[str]:
    """Names that are in use; also those of cards that cannot be read."""
    mine = (house.settings.home / "models").glob(f"*/{CARD_FILE}")
    return {known.name for known in shipped_cards()} | {path.parent.name for path in mine}
