"""One record for each thing that a job becomes: id, kind, state, seconds. No recipe, no error text.

Jobs are carried out by other processes; what becomes of them stands in the database, and is read
from there.
"""

import logging
import threading
from contextlib import suppress

from phosphene.core.errors import PhospheneError
from phosphene.studio.job import Job, State
from phosphene.studio.job_events import MAX_READ, JobEvent, latest_event, read_events
from phosphene.studio.studio import Studio
from phosphene.web.logs import fields

LOOK_SECONDS = 0.5
STATE = "state"

log = logging.getLogger("phosphene.web.jobs")


class JobLog:
    """Follows all jobs in a thread, from the moment at which it is made."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._after = latest_event(studio.database)
        self._begun: dict[str, float] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="job-log", daemon=True)

    def start(self) -> None:
        """Begin to follow, if anybody hears."""
        if log.isEnabledFor(logging.INFO):
            self._thread.start()

    def stop(self) -> None:
        """Log what has happened until now, and stop."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def look(self) -> None:
        """Log what is new.

        Raises:
            StorageError: the database does not answer.
        """
        while True:
            # asked before reading: what is between two states need not be looked through again
            latest = latest_event(self.studio.database)
            events = read_events(self.studio.database, self._after, kind=STATE)
            for event in events:
                self._tell(event, self.studio.jobs.get(event.job))
                self._after = event.id
            if len(events) < MAX_READ:
                self._after = max(self._after, latest)
                return

    def _follow(self) -> None:
        is_over = False
        while not is_over:
            is_over = self._over.wait(LOOK_SECONDS)
            # whatever is wrong with the database now may be right in a moment
            with suppress(PhospheneError):
                self.look()

    def _tell(self, event: JobEvent, job: Job) -> None:
        """Log what a job became, and for how long it had been running."""
        state = State(event.data[STATE])
        said: dict[str, object] = {"job": job.id, "kind": job.kind, "state": str(state)}
        begun = self._begun.pop(job.id, None)
        if state is State.RUNNING:
            self._begun[job.id] = event.created
        elif begun is not None:
            said["seconds"] = round(event.created - begun, 3)
        if "deaths" in event.data:
            said["deaths"] = event.data["deaths"]
        if state is State.FAILED and job.error_type is not None:
            said["error_type"] = job.error_type
        level = logging.WARNING if state is State.FAILED else logging.INFO
        log.log(level, "job", extra=fields(**said))
