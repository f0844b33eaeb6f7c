"""What travels: frames from clients, the ingest envelope, metadata events.

Clients' messages refuse unknown members, so that a typo is told; our own ignore them, so that
an older reader survives a newer writer.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from hoist.domain import strict_json
from hoist.domain.errors import InvalidRequest, Malformed
from hoist.domain.model import FileFacts, Visibility

METADATA_TOPIC = "hoist.metadata"
LANES = ("premium", "basic")
GROUPS = {"premium": "upload-premium", "basic": "upload-basic"}
METADATA_GROUP = "metadata-handler"
BUCKET_GROUP = "bucket-events"

T = TypeVar("T", bound=BaseModel)
MessageId = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")]


def ingest_topic(lane: str) -> str:
    return f"hoist.ingest.{lane}"


def dead_letter_topic(group: str) -> str:
    return f"hoist.{group}.dlq"


class _Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    def to_json(self) -> bytes:
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


class _FromClient(_Wire):
    model_config = ConfigDict(extra="forbid", strict=True)


class FileDescription(_FromClient):
    """The file a client wants to upload."""

    name: str = Field(description="Display name, at most 1024 bytes of UTF-8", examples=["a.txt"])
    size: int = Field(description="Exact size in bytes", examples=[12])
    content_type: str = Field(default="application/octet-stream", examples=["text/plain"])
    visibility: Annotated[Visibility, Field(strict=False)] = Visibility.PRIVATE
    checksum_sha256: str | None = Field(
        default=None,
        description="SHA-256 of the bytes, base64; storage refuses any other content",
        pattern=r"^[A-Za-z0-9+/]{43}=$",
    )

    def facts(self) -> FileFacts:
        return FileFacts(
            self.name, self.size, self.content_type, self.visibility, self.checksum_sha256
        )


class UploadRequest(_FromClient):
    """The body of ``POST /files/upload``, and the frame of the same meaning without ``action``."""

    message_id: MessageId = Field(description="Chosen by the client; repeat it to ask again")
    file: FileDescription


class UploadFrame(UploadRequest):
    action: Literal["upload"]


class StatusFrame(_FromClient):
    action: Literal["status"]
    message_id: MessageId


class ResumeFrame(_FromClient):
    action: Literal["resume"]
    since: int = Field(ge=0, description="The highest n seen; 0 for everything still kept")
    message_id: MessageId | None = None


class PingFrame(_FromClient):
    action: Literal["ping"]
    message_id: MessageId | None = None


FRAMES: dict[str, type[_FromClient]] = {
    "upload": UploadFrame,
    "status": StatusFrame,
    "resume": ResumeFrame,
    "ping": PingFrame,
}


class Envelope(_Wire):
    """One accepted request on an ingest topic (key: userId)."""

    version: Literal[1] = 1
    message_id: str
    user_id: str
    connection_id: str | None = None
    tier: str
    file: FileDescription
    requested_at: int


class FileRequested(_Wire):
    """A URL was granted. Topic ``hoist.metadata``, key userId."""

    version: Literal[1] = 1
    type: Literal["file.requested"] = "file.requested"
    user_id: str
    file_id: str
    message_id: str
    connection_id: str | None = None
    file: FileDescription
    tier: str
    requested_at: int
    settle_after: int


class FileStored(_Wire):
    """Storage holds the object. Topic ``hoist.metadata``, key userId."""

    version: Literal[1] = 1
    type: Literal["file.stored"] = "file.stored"
    user_id: str
    file_id: str
    size: int
    etag: str
    stored_at: int
    checksum_sha256: str | None = None


class FileExpired(_Wire):
    """The URL ran out and storage has nothing. Topic ``hoist.metadata``, key userId."""

    version: Literal[1] = 1
    type: Literal["file.expired"] = "file.expired"
    user_id: str
    file_id: str


MetadataEvent = FileRequested | FileStored | FileExpired
_METADATA: TypeAdapter[MetadataEvent] = TypeAdapter(
    Annotated[MetadataEvent, Field(discriminator="type")]
)


def describe(file: FileFacts) -> FileDescription:
    return FileDescription(
        name=file.name,
        size=file.size,
        content_type=file.content_type,
        visibility=file.visibility,
        checksum_sha256=file.checksum_sha256,
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
        raise Malformed(_explain(error)[0]) from error


def from_client(model: type[T], data: Any) -> T:
    """*data* as *model*. Raises ``InvalidRequest`` that names the first wrong member."""
    if not isinstance(data, dict):
        raise InvalidRequest("send a JSON object")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise InvalidRequest(*_explain(error)) from error


def iso(at_ms: int) -> str:
    """RFC 3339 in UTC, with milliseconds."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _explain(error: ValidationError) -> tuple[str, str | None]:
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    message = re.sub(r"^Value error, ", "", first["msg"])
    return (f"{field}: {message}" if field else message), field or None
