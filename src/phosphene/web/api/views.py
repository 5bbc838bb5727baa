"""What the native API answers: jobs and pictures as JSON. Seeds are text: JSON's readers round."""

import json
from typing import Any

from pydantic import BaseModel, Field

from phosphene.studio.collections import Collection
from phosphene.studio.entry import Entry
from phosphene.studio.forecast import Forecast
from phosphene.studio.job import Job


class ForecastView(BaseModel):
    seconds: float = Field(description="guess of the time that it runs")
    low: float
    high: float
    num_jobs: int = Field(description="measured jobs that the guess is from")
    same_size: bool

    @classmethod
    def of(cls, forecast: Forecast | None) -> "ForecastView | None":
        return None if forecast is None else cls(**forecast._asdict())


class JobView(BaseModel):
    id: str
    state: str
    wish: str | None = Field(description="what a running job is about to become")
    priority: int
    recipe: dict[str, Any]
    kind: str
    created: float
    started: float | None
    ended: float | None
    step: int
    total: int
    progress: float = Field(description="from 0 to 1")
    deaths: int = Field(description="workers that died of it; with 3 it has failed")
    error: str | None
    error_type: str | None
    pictures: list[str] = Field([], description="ids of finished pictures, in order")
    forecast: ForecastView | None = None

    @classmethod
    def of(
        cls, job: Job, pictures: dict[int, str] | None = None, forecast: Forecast | None = None
    ) -> "JobView":
        made = pictures or {}
        return cls(
            id=job.id,
            state=str(job.state),
            wish=None if job.wish is None else str(job.wish),
            priority=job.priority,
            recipe=json.loads(job.recipe),
            kind=job.kind,
            created=job.created,
            started=job.started,
            ended=job.ended,
            step=job.step,
            total=job.total,
            progress=job.progress,
            deaths=job.deaths,
            error=job.error,
            error_type=job.error_type,
            pictures=[made[number] for number in sorted(made)],
            forecast=ForecastView.of(forecast),
        )


class PictureView(BaseModel):
    id: str
    title: str
    kind: str
    model: str
    seed: str
    width: int
    height: int
    bytes: int
    created: float
    favourite: bool
    binned: float | None
    lost: bool = Field(description="its file is gone")
    origin: str
    recipe: dict[str, Any]
    image: str
    thumbnail: str

    @classmethod
    def of(cls, entry: Entry) -> "PictureView":
        return cls(**_common(entry))


class PictureDetails(PictureView):
    manifest: dict[str, Any] | None = Field(description="all of how it came to be")
    genes: str = Field(description="its latent; empty if its seed gives it")
    foreign: dict[str, Any] | None = Field(description="what another program wrote into it")
    parents: list[str]
    children: list[str]
    attachments: dict[str, str] = Field(description="where films and trees are, by what they are")


class PicturePage(BaseModel):
    pictures: list[PictureView]
    total: int
    more: str | None = Field(description="give it as `after` for the next page")


class CollectionView(BaseModel):
    id: str
    name: str
    created: float
    count: int

    @classmethod
    def of(cls, collection: Collection) -> "CollectionView":
        return cls(
            id=collection.id,
            name=collection.name,
            created=collection.created,
            count=collection.count,
        )


def details(
    entry: Entry, parents: list[str], children: list[str], attached: list[str]
) -> PictureDetails:
    """A picture with everything that is known of it."""
    base = f"/api/gallery/{entry.id}/attachments/"
    return PictureDetails(
        **_common(entry),
        manifest=entry.manifest,
        genes=entry.genes,
        foreign=entry.foreign,
        parents=parents,
        children=children,
        attachments={what: base + what.lstrip(".") for what in attached},
    )


def _common(entry: Entry) -> dict[str, Any]:
    shared = {n: getattr(entry, n) for n in PictureView.model_fields if hasattr(entry, n)}
    base = f"/api/gallery/{entry.id}"
    return {**shared, "image": f"{base}/image", "thumbnail": f"{base}/thumbnail"}
