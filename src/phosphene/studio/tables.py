"""The studio's tables. Times are seconds since 1970; JSON is kept as text.

Every change of these needs a step in `database.MIGRATIONS`, and a new `VERSION`.
"""

import sqlalchemy as sa

VERSION = 1
ID = sa.String(64)

metadata = sa.MetaData()

meta = sa.Table(
    "studio",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.String(200), nullable=False),
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", ID, primary_key=True),
    # asked for twice with the same key: the same job
    sa.Column("client_key", sa.String(200), unique=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("wish", sa.String(16)),  # what a running job should become: paused, cancelled
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("place", sa.Integer, nullable=False),  # among the jobs of its priority
    sa.Column("recipe", sa.Text, nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("method", sa.String(20), nullable=False),
    sa.Column("model", sa.String(200), nullable=False),
    sa.Column("size", sa.String(20), nullable=False),  # as asked for, "" for the model's own
    sa.Column("pictures", sa.Integer, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("started", sa.Float),
    sa.Column("ended", sa.Float),
    sa.Column("worker", sa.String(200)),
    sa.Column("lease_until", sa.Float),
    sa.Column("turn", sa.Integer, nullable=False),  # how often it was begun
    sa.Column("deaths", sa.Integer, nullable=False),  # of workers that carried it out
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("setup_seconds", sa.Float),  # until the first step
    sa.Column("step_seconds", sa.Float),  # each, on average
    sa.Column("error_type", sa.String(80)),
    sa.Column("error", sa.Text),
    sa.Index("jobs_in_turn", "state", "priority", "place"),
    sa.Index("jobs_place", "place"),
    sa.Index("jobs_alike", "kind", "method", "model", "size"),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("job", ID, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("data", sa.Text, nullable=False),
    sa.Column("preview", sa.LargeBinary),  # a small WebP
    sa.Index("events_of_job", "job", "id"),
    sqlite_autoincrement=True,  # a reader's place is never given away twice
)

artifacts = sa.Table(
    "artifacts",
    metadata,
    sa.Column("id", ID, primary_key=True),  # sha256 of its file
    sa.Column("bytes", sa.Integer, nullable=False),
    sa.Column("width", sa.Integer, nullable=False),
    sa.Column("height", sa.Integer, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("words", sa.Text, nullable=False),  # what a search looks through
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("model", sa.String(200), nullable=False),
    sa.Column("seed", sa.String(20), nullable=False),  # up to 2**63: not every reader's integer
    sa.Column("recipe", sa.Text, nullable=False),
    sa.Column("manifest", sa.Text),
    sa.Column("genes", sa.Text, nullable=False),
    sa.Column("foreign", sa.Text),  # what another program wrote, and what of it did not map
    sa.Column("origin", sa.String(20), nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("favourite", sa.Boolean, nullable=False),
    sa.Column("binned", sa.Float),
    sa.Column("purged", sa.Boolean, nullable=False),  # its file is about to go, then its row
    sa.Column("lost", sa.Boolean, nullable=False),  # its file is not there
    sa.Index("artifacts_newest", "created", "id"),
)

attachments = sa.Table(
    "attachments",
    metadata,
    sa.Column("artifact", ID, primary_key=True),
    sa.Column("ending", sa.String(40), primary_key=True),  # ".mp4", ".tree.json"
    sa.Column("sha256", ID, nullable=False),
    sa.Column("bytes", sa.Integer, nullable=False),
)

made = sa.Table(
    "made",
    metadata,
    sa.Column("job", ID, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),  # which of the job's pictures
    sa.Column("artifact", ID, nullable=False),
    sa.Index("made_of", "artifact"),
)

parents = sa.Table(
    "parents",
    metadata,
    sa.Column("child", ID, primary_key=True),
    sa.Column("parent", ID, primary_key=True),
    sa.Index("children", "parent"),
)

collections = sa.Table(
    "collections",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("name", sa.String(200), nullable=False, unique=True),
    sa.Column("created", sa.Float, nullable=False),
)

collected = sa.Table(
    "collected",
    metadata,
    sa.Column("collection", ID, primary_key=True),
    sa.Column("artifact", ID, primary_key=True),
    sa.Column("added", sa.Float, nullable=False),
    sa.Index("collections_of", "artifact"),
)
