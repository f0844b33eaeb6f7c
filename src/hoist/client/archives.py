"""Many files as one zip, which the service builds."""

from __future__ import annotations

from typing import Unpack
from urllib.parse import quote

from hoist.client.filters import Filters, query_of
from hoist.client.problems import HoistProblem, Retry, problem_from
from hoist.client.rest import Rest
from hoist.client.views import Archive

POLL_SECONDS_MIN, POLL_SECONDS_MAX = 0.25, 5.0
READY_SECONDS = 3600.0


class Archives:
    """The part of the client that asks for archives and waits for them."""

    _rest: Rest
    _retry: Retry

    def archive(self, **filters: Unpack[Filters]) -> Archive:
        """Ask for one zip of every stored file that *filters* mean; it is building then.

        Problems ``archive_too_large`` and ``nothing_to_archive``.
        """
        # In the address, as for a list: the request has no body.
        archive: Archive = self._rest.call("POST", "/archives", query=query_of(filters)).json()
        return archive

    def archive_status(self, archive_id: str) -> Archive:
        """The archive, with a fresh ``downloadUrl`` once it is ready."""
        path = f"/archives/{quote(archive_id, safe='')}"
        archive: Archive = self._rest.call("GET", path).json()
        return archive

    def archive_ready(self, archive_id: str, wait_seconds: float = READY_SECONDS) -> Archive:
        """Wait until the archive is ready. Raises the problem it failed with.

        ``not_confirmed`` when it takes longer than *wait_seconds*.
        """
        waited, pause = 0.0, POLL_SECONDS_MIN
        while (archive := self.archive_status(archive_id))["state"] == "building":
            if waited >= wait_seconds:
                detail = f"the archive {archive_id} is still being built"
                raise HoistProblem("not_confirmed", 504, detail, {"retriable": True})
            self._retry.sleep(pause)
            waited, pause = waited + pause, min(pause * 1.5, POLL_SECONDS_MAX)
        if archive["state"] != "ready":
            error = {"code": "archive_failed", "detail": "the archive could not be built"}
            raise problem_from({**error, **(archive.get("error") or {})}, 500)
        return archive
