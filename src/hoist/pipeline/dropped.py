"""Who waits for an upload whose request was given up hears it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeGuard

from hoist import telemetry
from hoist.domain.decisions import RequestDropped
from hoist.domain.errors import NotFound
from hoist.domain.messages import GROUPS
from hoist.domain.model import FileRecord, file_id
from hoist.domain.ports import Clock
from hoist.domain.volatile import Answers, EventStream
from hoist.pipeline import events
from hoist.pipeline.finding import FindUpload
from hoist.pipeline.letters import Letter, decoded

ID_BYTES_MAX = 1024  # what no store could look up was never anybody's


@dataclass(frozen=True)
class TellDropped:
    find: FindUpload
    answers: Answers
    events: EventStream
    clock: Clock

    def __call__(self, letter: Letter) -> None:
        """``upload.rejected``, and the request is answered so from now on.

        Nothing when the letter says nobody's request, or the same request came through meanwhile.
        """
        data = decoded(letter.payload) if letter.group in GROUPS.values() else None
        request = data if isinstance(data, dict) else {}
        user_id, message_id = request.get("userId"), request.get("messageId")
        if not (_is_id(user_id) and _is_id(message_id)):
            return
        this_file = file_id(user_id, message_id)
        try:
            found = self.find(user_id, this_file)
        except NotFound:
            found = None
        if isinstance(found, FileRecord) or (found and found.state != "accepted"):
            return
        refusal = events.error_view(RequestDropped())
        if found:
            self.answers.put_many({this_file: replace(found, state="rejected", error=refusal)})
        connection_id = request.get("connectionId")
        told = events.event(
            "upload.rejected",
            user_id,
            at_ms=self.clock(),
            trace_id=letter.trace_id or telemetry.new_trace(),
            connection_id=connection_id if isinstance(connection_id, str) else None,
            messageId=message_id,
            fileId=this_file,
            error=refusal,
        )
        self.events.publish([told])


def _is_id(text: object) -> TypeGuard[str]:
    return isinstance(text, str) and 0 < len(text.encode()) <= ID_BYTES_MAX
