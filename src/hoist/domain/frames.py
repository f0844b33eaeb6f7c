"""What clients send: frames, and the bodies of the same meaning over REST.

Unknown members are refused, so that a typo is told.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hoist.domain.errors import InvalidRequest
from hoist.domain.messages import DescribedFile, Wire, explain
from hoist.domain.model import Visibility

FILES_MAX = PARTS_MAX = 100  # of one frame

T = TypeVar("T", bound=BaseModel)
MessageId = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\x21-\x2e\x30-\x7e]+$")]
Sha256 = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$")]


class _FromClient(Wire):
    model_config = ConfigDict(extra="forbid", strict=True)


class FileDescription(DescribedFile):
    """The file a client wants to upload."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(description="Display name, at most 1024 bytes of UTF-8", examples=["a.txt"])
    size: int = Field(description="Exact size in bytes", examples=[12])
    content_type: str = Field(default="application/octet-stream", examples=["text/plain"])
    visibility: Annotated[Visibility, Field(strict=False)] = Visibility.PRIVATE
    checksum_sha256: Sha256 | None = Field(
        default=None, description="SHA-256 of the bytes, base64; storage refuses any other content"
    )
    folder: str = Field(default="", description="Relative path to show it under", examples=["a/b"])
    part_checksums: bool = Field(
        default=False, description="Each part, if it comes in parts, brings its SHA-256"
    )


class UploadRequest(_FromClient):
    """The body of ``POST /files/upload``, and one file of an ``upload`` frame."""

    message_id: MessageId = Field(description="Chosen by the client; repeat it to ask again")
    file: FileDescription


class UploadFrame(_FromClient):
    """One file, or up to 100 in ``files``."""

    action: Literal["upload"]
    message_id: MessageId | None = None
    file: FileDescription | None = None
    files: list[UploadRequest] | None = Field(default=None, min_length=1, max_length=FILES_MAX)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        is_single = self.file is not None and self.message_id is not None
        if is_single == (self.files is not None):
            raise ValueError("send messageId and file, or files")
        if len({request.message_id for request in self.requests}) < len(self.requests):
            raise ValueError("a messageId occurs twice in files")
        return self

    @property
    def requests(self) -> list[UploadRequest]:
        if self.files is not None:
            return self.files
        assert self.message_id is not None
        assert self.file is not None
        return [UploadRequest(message_id=self.message_id, file=self.file)]


class WantedPart(_FromClient):
    number: int = Field(ge=1)
    checksum_sha256: Sha256 | None = None


class SignRequest(_FromClient):
    """The body of ``POST /uploads/{id}/parts``."""

    parts: list[WantedPart] = Field(min_length=1, max_length=PARTS_MAX)


class ProgressReport(_FromClient):
    """The body of ``POST /uploads/{id}/progress``."""

    bytes_sent: int = Field(ge=0)


class FileChange(_FromClient):
    """The body of ``PATCH /files/{id}``: what is to be another."""

    name: str | None = None
    folder: str | None = None
    visibility: Annotated[Visibility, Field(strict=False)] | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.name is None and self.folder is None and self.visibility is None:
            raise ValueError("send name, folder or visibility")
        return self


class ShareRequest(_FromClient):
    """The body of ``POST /files/{id}/shares``. Without limits a link works until it is revoked."""

    expires_in_seconds: int | None = Field(default=None, gt=0, le=10 * 366 * 24 * 3600)
    password: str | None = Field(default=None, min_length=1, max_length=200)
    downloads_max: int | None = Field(default=None, gt=0, le=1_000_000_000)


class SharePassword(_FromClient):
    """The body of ``POST /s/{shareId}``."""

    password: str = Field(max_length=200)


class _AboutUpload(_FromClient):
    message_id: MessageId


class StatusFrame(_AboutUpload):
    action: Literal["status"]


class SignFrame(_AboutUpload, SignRequest):
    action: Literal["sign"]


class CompleteFrame(_AboutUpload):
    action: Literal["complete"]


class ProgressFrame(_AboutUpload, ProgressReport):
    action: Literal["progress"]


class CancelFrame(_AboutUpload):
    action: Literal["cancel"]


class RenewFrame(_FromClient):
    action: Literal["renew"]
    token: str = Field(description="A fresh access token of the same user")
    message_id: MessageId | None = None


class ResumeFrame(_FromClient):
    action: Literal["resume"]
    since: int = Field(ge=0, lt=2**63, description="The highest n seen; 0 for all that is kept")
    message_id: MessageId | None = None


class PingFrame(_FromClient):
    action: Literal["ping"]
    message_id: MessageId | None = None


FRAMES: dict[str, type[_FromClient]] = {
    "upload": UploadFrame,
    "status": StatusFrame,
    "sign": SignFrame,
    "complete": CompleteFrame,
    "progress": ProgressFrame,
    "cancel": CancelFrame,
    "renew": RenewFrame,
    "resume": ResumeFrame,
    "ping": PingFrame,
}


def from_client(model: type[T], data: Any) -> T:
    """*data* as *model*. Raises ``InvalidRequest`` that names the first wrong member."""
    if not isinstance(data, dict):
        raise InvalidRequest("send a JSON object")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise InvalidRequest(*explain(error)) from error
