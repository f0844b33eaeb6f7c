"""Every way an upload can be refused or fail.

HoistError
├── Malformed          not a message of ours; dead-lettered at once (``versions.NewerVersion``)
├── Rejected           the caller must change something; answered, never retried
│   ├── InvalidRequest, UnknownAction, InvalidCursor
│   ├── Unauthorized (TokenExpired), Forbidden
│   ├── NotFound, NotStored, MessageIdConflict, UploadCancelled
│   ├── PartsMissing, NotInParts
│   ├── PreconditionFailed, PasswordRequired; TooManyTries (retriable)
│   ├── NothingToArchive, ArchiveTooLarge
│   ├── of dead letters, in ``decisions``: RequestDropped, LetterDecided
│   └── OverLimit: FileTooLarge, QuotaExceeded; RateLimited, TooManyUploads, SlowDown (retriable)
├── Unavailable        a dependency is down; retried, and the client is told when
│   └── Busy           the log is away, or too many wait: the request may or may not be in it
└── Outdated           this release is older than the data; told to operators only
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class HoistError(Exception):
    """A failure with a consequence: a stable ``code``, an HTTP ``status``, and whether to retry."""

    code = "internal"
    status = 500
    retriable = False

    def __init__(self, message: str = "", **members: Any) -> None:
        super().__init__(message)
        self._members = members

    def details(self) -> dict[str, Any]:
        """What a client can act on, as JSON members beside ``code`` and ``detail``."""
        return {name: value for name, value in self._members.items() if value is not None}


class Malformed(HoistError):
    """Bytes that are not a message of ours: no later attempt can read them."""

    code, status = "malformed", 400


class Rejected(HoistError):
    """The caller must change something; the same request again gets the same answer."""

    code, status = "rejected", 400


class InvalidRequest(Rejected):
    code, status = "invalid_request", 400

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message, field=field)
        self.field = field


class UnknownAction(Rejected):
    code, status = "unknown_action", 400


class InvalidCursor(Rejected):
    code, status = "invalid_cursor", 400


class Unauthorized(Rejected):
    code, status = "unauthorized", 401


class TokenExpired(Unauthorized):
    code = "token_expired"


class Forbidden(Rejected):
    code, status = "forbidden", 403


class NotFound(Rejected):
    """Unknown, deleted and foreign ids answer alike, so that nobody can probe for files."""

    code, status = "not_found", 404


class NotStored(Rejected):
    code, status = "not_stored", 409


class MessageIdConflict(Rejected):
    code, status = "message_id_conflict", 409

    def __init__(self, message_id: str) -> None:
        super().__init__(
            f"messageId {message_id!r} was already used for another file; "
            "send a new messageId, or the same file again"
        )


class PreconditionFailed(Rejected):
    """The file is not of the revision that the caller saw: look again, then decide."""

    code, status = "precondition_failed", 412

    def __init__(self, revision: int) -> None:
        message = f"the file was changed meanwhile: it is of revision {revision} now"
        super().__init__(message, revision=revision)


class PasswordRequired(Rejected):
    code, status = "password_required", 403


class TooManyTries(Rejected):
    code, status, retriable = "too_many_tries", 429, True

    def __init__(self, message: str, retry_after_seconds: int) -> None:
        super().__init__(f"{message}; wait a moment", retryAfterSeconds=retry_after_seconds)


class UploadCancelled(Rejected):
    code, status = "upload_cancelled", 409

    def __init__(self) -> None:
        super().__init__(
            "this upload was cancelled, or its file deleted; "
            "send a new messageId to upload the file again"
        )


class NotInParts(Rejected):
    code, status = "not_in_parts", 409

    def __init__(self, state: str, has_parts: bool = True) -> None:
        why = f"the upload is {state}" if has_parts else "the file goes in one PUT"
        super().__init__(f"no parts are expected: {why}", state=state)


class PartsMissing(Rejected):
    """Parts that storage does not have, or has in another size."""

    code, status = "parts_missing", 409

    def __init__(self, missing: list[int]) -> None:
        message = f"{len(missing)} parts are missing or of another size; send them first"
        super().__init__(message, missing=missing[:100], missingCount=len(missing))


class NothingToArchive(Rejected):
    code, status = "nothing_to_archive", 409

    def __init__(self) -> None:
        super().__init__("the list shows no stored file")


class ArchiveTooLarge(Rejected):
    """The list holds *size* files or bytes, as *unit* says, or even more."""

    code, status = "archive_too_large", 413

    def __init__(self, unit: str, limit: int, size: int) -> None:
        message = f"over the {limit} {unit} that one archive may hold; narrow the list"
        super().__init__(message, unit=unit, limit=limit, size=size)


@dataclass(frozen=True, slots=True)
class Use:
    """A limit and how much of it is in use, as the refused user is told."""

    tier: str
    limit: int
    premium_limit: int
    in_use: int | None = None
    size: int | None = None
    retry_after_seconds: int | None = None
    clears_at: str | None = None

    def details(self) -> dict[str, Any]:
        members = {
            "limit": self.limit,
            "inUse": self.in_use,
            "size": self.size,
            "tier": self.tier,
            "premiumLimit": self.premium_limit,
            "retryAfterSeconds": self.retry_after_seconds,
            "clearsAt": self.clears_at,
        }
        return {name: value for name, value in members.items() if value is not None}


class OverLimit(Rejected):
    """Over a limit of the tier: which, how much is in use, when it clears, what premium has."""

    code, status = "over_limit", 403

    def __init__(self, message: str, use: Use) -> None:
        super().__init__(message)
        self.use = use

    def details(self) -> dict[str, Any]:
        return self.use.details()


class FileTooLarge(OverLimit):
    code, status = "file_too_large", 413


class QuotaExceeded(OverLimit):
    code, status = "quota_exceeded", 403


class RateLimited(OverLimit):
    code, status, retriable = "rate_limited", 429, True


class TooManyUploads(OverLimit):
    code, status, retriable = "too_many_uploads", 429, True


class SlowDown(Rejected):
    """Too fast for anything to be looked at; the edge's own guard."""

    code, status, retriable = "slow_down", 429, True

    def __init__(self, limit: int) -> None:
        message = f"at most {limit} requests or frames a second; wait a moment"
        super().__init__(message, limit=limit, retryAfterSeconds=1)


class Unavailable(HoistError):
    """A dependency is down for now; the same call may work after ``retry_after_seconds``."""

    code, status, retriable = "unavailable", 503, True

    def __init__(self, message: str, retry_after_seconds: int = 2) -> None:
        super().__init__(message, retryAfterSeconds=retry_after_seconds)


class Busy(Unavailable):
    """Too much is waiting, or the log does not answer; what was asked is in it, or is not."""

    code = "busy"


class Outdated(HoistError):
    """Somebody newer has worked on the data: a newer release must do what was asked."""

    code = "outdated"
