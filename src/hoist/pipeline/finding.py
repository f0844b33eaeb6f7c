"""Where an upload is known: in the store, or only among the answers while its row is on its way."""

from __future__ import annotations

from dataclasses import dataclass

from hoist.domain.errors import NotFound
from hoist.domain.model import FileRecord, Status, is_file_id
from hoist.domain.ports import MetadataStore
from hoist.domain.row_json import record_from_json
from hoist.domain.volatile import Answer, Answers


def find_file(store: MetadataStore, user_id: str, file_id: str) -> FileRecord | None:
    """The user's row of this id, in any state; what could be no id is not looked up."""
    key = (user_id, file_id)
    return store.get_many([key]).get(key) if is_file_id(file_id) else None


@dataclass(frozen=True)
class FindUpload:
    store: MetadataStore
    answers: Answers

    def __call__(self, user_id: str, file_id: str) -> FileRecord | Answer:
        """The row; without one, what the request was answered.

        Raises ``NotFound``, for another user's upload too.
        """
        if not is_file_id(file_id):
            raise NotFound("no such upload")
        record = find_file(self.store, user_id, file_id)
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
