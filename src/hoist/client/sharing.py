"""Links that let anybody download one of your files."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from hoist.client.files import path_of
from hoist.client.rest import Rest
from hoist.client.views import Share


class Sharing:
    """The part of the client that makes and ends links."""

    _rest: Rest

    def share(
        self,
        file_id: str,
        *,
        expires_seconds: int | None = None,
        password: str | None = None,
        downloads_max: int | None = None,
    ) -> Share:
        """A new link to a stored file; without a limit it lasts as long as the file."""
        wanted = {
            "expiresInSeconds": expires_seconds,
            "password": password,
            "downloadsMax": downloads_max,
        }
        body: dict[str, Any] = {k: v for k, v in wanted.items() if v is not None}
        share: Share = self._rest.call("POST", path_of(file_id, "/shares"), body=body).json()
        return share

    def shares(self, file_id: str | None = None) -> list[Share]:
        """All your links, those that have ended too; with *file_id* those of one file."""
        query = {} if file_id is None else {"fileId": file_id}
        shares: list[Share] = self._rest.call("GET", "/shares", query=query).json()["shares"]
        return shares

    def revoke(self, share_id: str) -> None:
        """End a link now."""
        self._rest.call("DELETE", f"/shares/{quote(share_id, safe='')}")
