"""Models over HTTP: which checkpoints can be converted, and converting one."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from phosphene.studio.checkpoint_folders import CheckpointKind
from phosphene.web.conversions import convert, offered
from phosphene.web.house import Here
from phosphene.zoo.card import Card

router = APIRouter(prefix="/api", tags=["models"])


class Conversion(BaseModel):
    """A checkpoint to convert."""

    model_config = ConfigDict(extra="forbid")

    kind: CheckpointKind = Field(description="where the checkpoint comes from")
    checkpoint: str = Field(max_length=600, description="one that GET /api/checkpoints lists")
    name: str = Field("", max_length=80, description="of the model; as the checkpoint, if empty")


class ModelView(BaseModel):
    name: str
    family: str
    arch: str
    summary: str
    size: int | None = Field(description="side of the pictures, pixels")
    parameters: int
    bytes: int
    sha256: str | None = Field(description="of the weights")
    origin: str = Field(description="where the weights come from")

    @classmethod
    def of(cls, card: Card) -> "ModelView":
        fields = {name: getattr(card, name) for name in cls.model_fields}
        return cls(**fields)


REFUSALS = {
    403: "no folder of checkpoints is open",
    404: "no such checkpoint",
    409: "a model has that name",
    422: "no checkpoint of that kind, or no name",
    429: "another one is being converted",
    503: "it could not be done here: disk full, or out of memory",
}


@router.get("/checkpoints", responses={403: {"description": REFUSALS[403]}})
def get_checkpoints(here: Here) -> list[str]:
    """List the checkpoints that can be converted, as FOLDER/FILE."""
    return offered(here)


@router.post(
    "/models/convert",
    status_code=201,
    responses={status: {"description": text} for status, text in REFUSALS.items()},
)
def post_convert(here: Here, asked: Conversion) -> ModelView:
    """Convert a checkpoint into a model; answers when it is done, which may take minutes."""
    return ModelView.of(convert(here, asked.kind, asked.checkpoint, asked.name))
