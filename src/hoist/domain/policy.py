"""The rules: what each tier may do, who is which tier, and which requests make sense."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from hoist.domain.errors import FileTooLarge, InvalidRequest
from hoist.domain.model import FileFacts

BASIC, PREMIUM = "basic", "premium"
NAME_BYTES_MAX = 1024
SINGLE_PUT_BYTES_MAX = 5 * 1024**3  # S3 takes at most 5 GiB in one PUT


class Tier(BaseModel):
    """What one role may do; the lane is the ingest topic it waits in."""

    model_config = ConfigDict(
        alias_generator=to_camel, frozen=True, extra="forbid", populate_by_name=True
    )

    file_size_max: int = Field(gt=0, le=SINGLE_PUT_BYTES_MAX)
    url_expires_seconds: int = Field(gt=0, le=7 * 24 * 3600)
    lane: str = Field(pattern="^(basic|premium)$")


@dataclass(frozen=True, slots=True)
class Policy:
    """The tiers as data, and the checks that need them."""

    tiers: Mapping[str, Tier]

    @classmethod
    def from_json(cls, text: str) -> Policy:
        """Raises ``ValueError`` with a readable reason when *text* is not a tier file."""
        try:
            tiers = {name: Tier.model_validate(tier) for name, tier in json.loads(text).items()}
        except (ValidationError, AttributeError, json.JSONDecodeError) as error:
            raise ValueError(f"the tier file is wrong: {error}") from error
        if missing := {BASIC, PREMIUM} - tiers.keys():
            raise ValueError(f"the tier file lacks: {', '.join(sorted(missing))}")
        return cls(tiers)

    def tier(self, name: str) -> Tier:
        """The tier of this name; an unknown one is basic."""
        return self.tiers.get(name, self.tiers[BASIC])

    def check(self, file: FileFacts, tier_name: str) -> None:
        """Raises ``FileTooLarge`` when the tier does not allow a file of this size."""
        limit = self.tier(tier_name).file_size_max
        if file.size > limit:
            raise FileTooLarge(file.size, limit, tier_name, self.tiers[PREMIUM].file_size_max)


def tier_of(roles: tuple[str, ...]) -> str:
    """The best tier the roles give; an unknown role gives basic."""
    return PREMIUM if PREMIUM in roles else BASIC


def roles_from_claim(claim: Any) -> tuple[str, ...]:
    """The roles in a token's claim, in any form it arrives in.

    A list (Auth0), JSON text, a comma list, or API Gateway's ``"[a b]"``
    (AWS-CONTRACTS section 2). Any other shape gives no role: least privilege.
    """
    if isinstance(claim, str):
        claim = _roles_from_text(claim.strip())
    if not isinstance(claim, list) or not all(isinstance(role, str) for role in claim):
        return ()
    return tuple(role for role in claim if re.fullmatch(r"[\w:.-]{1,64}", role))


def _roles_from_text(text: str) -> Any:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        parsed = None
    if isinstance(parsed, list):
        return parsed
    if text.startswith("[") and text.endswith("]"):
        return text[1:-1].split()
    return [role.strip() for role in text.split(",")]


def check_file(file: FileFacts) -> None:
    """Refuse what no tier allows: an empty or unprintable name, a size of nothing, an odd type.

    Names are display text only, so most of Unicode is welcome; control characters are not,
    since they end up in headers, logs and terminals.
    """
    if not file.name.strip():
        raise InvalidRequest("the file needs a name", "file.name")
    # NUL cannot be stored everywhere; newlines and the like are only dangerous unescaped.
    if "\0" in file.name or any(unicodedata.category(char) == "Cs" for char in file.name):
        raise InvalidRequest("the name holds NUL or a lone surrogate", "file.name")
    if len(file.name.encode()) > NAME_BYTES_MAX:
        raise InvalidRequest(f"the name is over {NAME_BYTES_MAX} bytes of UTF-8", "file.name")
    if file.size < 1:
        raise InvalidRequest("size is in bytes and at least 1", "file.size")
    if not re.fullmatch(r"[\w.+-]{1,100}/[\w.+-]{1,100}(; ?[\w-]+=[\w.+-]+)*", file.content_type):
        raise InvalidRequest(
            "contentType is not a media type such as text/plain", "file.contentType"
        )
