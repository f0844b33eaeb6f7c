"""Every way an upload can be refused or fail.

HoistError
├── Malformed          not a message of ours; dead-lettered at once
├── Rejected           the caller must change something; answered, never retried
│   ├── InvalidRequest, UnknownAction, InvalidCursor
│   ├── Unauthorized (TokenExpired), Forbidden
│   ├── NotFound, NotStored, MessageIdConflict
│   └── FileTooLarge
└── Unavailable        a dependency is down; retried, and the client is told when
"""

from __future__ import annotations

from typing import Any


class HoistError(Exception):
    """A failure with a consequence: a stable ``code``, an HTTP ``status``, and whether to retry."""

    code = "internal"
    status = 500
    retriable = False

    def details(self) -> dict[str, Any]:
        """What a client can act on, as JSON members beside ``code`` and ``detail``."""
        return {}


class Malformed(HoistError):
    """Bytes that are not a message of ours: no later attempt can read them."""

    code, status = "malformed", 400


class Rejected(HoistError):
    """The caller must change something; the same request again gets the same answer."""

    code, status = "rejected", 400


class InvalidRequest(Rejected):
    code, status = "invalid_request", 400

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field

    def details(self) -> dict[str, Any]:
        return {"field": self.field} if self.field else {}


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


class FileTooLarge(Rejected):
    code, status = "file_too_large", 413

    def __init__(self, size: int, limit: int, tier: str, premium_limit: int) -> None:
        super().__init__(f"{size} bytes is over the {limit} bytes a {tier} upload may have")
        self.size, self.limit, self.tier, self.premium_limit = size, limit, tier, premium_limit

    def details(self) -> dict[str, Any]:
        return {
            "size": self.size,
            "limit": self.limit,
            "tier": self.tier,
            "premiumLimit": self.premium_limit,
        }


class Unavailable(HoistError):
    """A dependency is down for now; the same call may work after ``retry_after_seconds``."""

    code, status, retriable = "unavailable", 503, True

    def __init__(self, message: str, retry_after_seconds: int = 2) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds

    def details(self) -> dict[str, Any]:
        return {"retryAfterSeconds": self.retry_after_seconds}
