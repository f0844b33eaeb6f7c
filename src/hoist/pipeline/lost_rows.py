"""For operators: files that the log tells of and the store does not know."""

from __future__ import annotations

from collections.abc import Set

from hoist.domain.messages import METADATA_TOPIC
from hoist.domain.ports import LogReader
from hoist.pipeline.letters import decoded, user_of


def owners(reader: LogReader, topic_prefix: str, file_ids: Set[str | None]) -> dict[str, str]:
    """Those of *file_ids* that hoist.metadata tells of, and whose they are.

    Reads the topic whole; events of newer releases tell as much. Raises ``Unavailable``.
    """
    found = {}
    for batch in reader.read(topic_prefix + METADATA_TOPIC):
        for record in batch:
            event = decoded(record.value or b"")
            file_id = event.get("fileId") if isinstance(event, dict) else None
            if isinstance(file_id, str) and file_id in file_ids:
                found[file_id] = user_of(record.value or b"") or "a user it does not name"
    return found
