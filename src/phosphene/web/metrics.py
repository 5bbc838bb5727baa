"""Figures for Prometheus, in its text format. No prompt and no name of anybody is in them."""

import sqlalchemy as sa

from phosphene.studio.tables import artifacts
from phosphene.web.house import House


def exposition(house: House) -> str:
    """All figures."""
    studio = house.studio
    with studio.database.reading() as connection:
        counted = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(artifacts.c.bytes), 0))
        number, size = connection.execute(counted.where(~artifacts.c.purged)).one()
    workers = house.supervisor.workers() if house.supervisor else []
    deaths = house.supervisor.deaths() if house.supervisor else 0
    lines = _family("phosphene_jobs", "gauge", "Jobs by state.")
    lines += [f'phosphene_jobs{{state="{s}"}} {n}' for s, n in studio.jobs.counts().items()]
    lines += _family("phosphene_pictures", "gauge", "Pictures in the gallery, with the bin.")
    lines += [f"phosphene_pictures {number}"]
    lines += _family("phosphene_pictures_bytes", "gauge", "Length of their files.")
    lines += [f"phosphene_pictures_bytes {size}"]
    lines += _family("phosphene_worker_up", "gauge", "Whether the worker of a device is alive.")
    lines += [f'phosphene_worker_up{{device="{d}"}} {int(p is not None)}' for d, p in workers]
    lines += _family("phosphene_worker_deaths_total", "counter", "Workers that died.")
    lines += [f"phosphene_worker_deaths_total {deaths}"]
    return "\n".join(lines) + "\n"


def _family(name: str, kind: str, meaning: str) -> list[str]:
    return [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
