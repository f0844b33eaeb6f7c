"""What travels between our own parts: the ingest envelope and the metadata events.

Unknown members are ignored, so that an older reader survives a newer writer.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from hoist.domain import strict_json
from hoist.domain.errors import Malformed
from hoist.domain.model import FileFacts, Multipart, Visibility

METADATA_TOPIC = "hoist.metadata"
LANES = ("premium", "basic")
GROUPS = {"premium": "upload-premium", "basic": "upload-basic"}
METADATA_GROUP = "metadata-handler"
BUCKET_GROUP = "bucket-events"


def ingest_topic(lane: str) -> str:
    return f"hoist.ingest.{lane}"


def dead_letter_topic(group: str) -> str:
    return f"hoist.{group}.dlq"


class Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    def to_json(self) -> bytes:
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


class DescribedFile(Wire):
    """A file as its owner announced it."""

    name: str
    size: int
    content_type: str = "application/octet-stream"
    visibility: Visibility = Visibility.PRIVATE
    checksum_sha256: str | None = None
    folder: str = ""
    part_checksums: bool = False

    def facts(self) -> FileFacts:
        return FileFacts(
            name=self.name,
            size=self.size,
            content_type=self.content_type,
            visibility=self.visibility,
            checksum_sha256=self.checksum_sha256,
            folder=self.folder,
            part_checksums=self.part_checksums,
        )


class Envelope(Wire):
    """One accepted request on an ingest topic (key: userId)."""

    version: Literal[1] = 1
    message_id: str
    user_id: str
    connection_id: str | None = None
    tier: str
    file: DescribedFile
    requested_at: int


class Parts(Wire):
    """Storage's id of an upload in parts, and the bytes of each but the last."""

    upload_id: str
    part_size: int


class _MetadataEvent(Wire):
    """An event of one file. Topic ``hoist.metadata``, key userId."""

    version: Literal[1] = 1
    user_id: str
    file_id: str


class FileRequested(_MetadataEvent):
    """A URL was granted."""

    type: Literal["file.requested"] = "file.requested"
    message_id: str
    connection_id: str | None = None
    file: DescribedFile
    tier: str
    requested_at: int
    settle_after: int
    parts: Parts | None = None

    def multipart(self) -> Multipart | None:
        return Multipart(self.parts.upload_id, self.parts.part_size) if self.parts else None


class FileExtended(_MetadataEvent):
    """Fresh signatures were given: the upload may take longer."""

    type: Literal["file.extended"] = "file.extended"
    settle_after: int


class FileStored(_MetadataEvent):
    """Storage holds the object."""

    type: Literal["file.stored"] = "file.stored"
    size: int
    etag: str
    stored_at: int
    checksum_sha256: str | None = None


class FileExpired(_MetadataEvent):
    """The URLs ran out, and at that time storage had nothing."""

    type: Literal["file.expired"] = "file.expired"
    at: int


class FileCancelled(_MetadataEvent):
    """Its owner wants it no more."""

    type: Literal["file.cancelled"] = "file.cancelled"
    message_id: str
    at: int


class FileMissing(_MetadataEvent):
    """Storage has lost the object of a stored file."""

    type: Literal["file.missing"] = "file.missing"


MetadataEvent = (
    FileRequested | FileExtended | FileStored | FileExpired | FileCancelled | FileMissing
)
_METADATA: TypeAdapter[MetadataEvent] = TypeAdapter(
    Annotated[MetadataEvent, Field(discriminator="type")]
)


def envelope_from_json(raw: bytes | None) -> Envelope:
    """Raises ``Malformed``: an envelope is ours, so a wrong one is a bug or an attack."""
    envelope: Envelope = _ours(Envelope.model_validate, raw)
    return envelope


def metadata_event_from_json(raw: bytes | None) -> MetadataEvent:
    """Raises ``Malformed``."""
    event: MetadataEvent = _ours(_METADATA.validate_python, raw)
    return event


def _ours(parse: Any, raw: bytes | None) -> Any:
    if raw is None:
        raise Malformed("the record has no value")
    try:
        return parse(strict_json.decode(raw))
    except ValidationError as error:
        raise Malformed(explain(error)[0]) from error


def iso(at_ms: int) -> str:
    """RFC 3339 in UTC, with milliseconds."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def explain(error: ValidationError) -> tuple[str, str | None]:
    """The first thing wrong, and the member it is about."""
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    message = re.sub(r"^Value error, ", "", first["msg"])
    if first["type"] == "string_pattern_mismatch":
        message = "is not of the form that the documentation gives"
    return (f"{field}: {message}" if field else message), field or None
