"""Where an upload is known: in the store, or only among the answers while its row is on its way."""

from __future__ import annotations

from dataclasses import dataclass

from hoist.domain.errors import NotFound
from hoist.domain.model import FILE_ID_LENGTH, FileRecord, Status, record_from_json
from hoist.domain.ports import MetadataStore
from hoist.domain.volatile import Answer, Answers


@dataclass(frozen=True)
class FindUpload:
    store: MetadataStore
    answers: Answers

    def __call__(self, user_id: str, file_id: str) -> FileRecord | Answer:
        """The row; without one, what the request was answered.

        Raises ``NotFound``, for another user's upload too.
        """
        if len(file_id) != FILE_ID_LENGTH:
            raise NotFound("no such upload")
        record = self.store.get_many([(user_id, file_id)]).get((user_id, file_id))
        if record and record.status not in (Status.ARRIVED, Status.EXPIRED):
            return record
        answer = self.answers.get_many([file_id]).get(file_id)
        if answer and answer.user_id == user_id:
            if answer.record is None:
                return record if record and record.status is Status.EXPIRED else answer
            granted = record_from_json(answer.record)
            if record is None or granted.settle_after_ms > record.settle_after_ms:
                return granted
        if record is None or record.status is Status.ARRIVED:
            raise NotFound("no such upload")
        return record
