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

from hoist.domain.errors import FileTooLarge, InvalidRequest, Use
from hoist.domain.model import FileFacts

BASIC, PREMIUM = "basic", "premium"
NAME_BYTES_MAX = FOLDER_BYTES_MAX = 1024
MIB = 1024**2
MEDIA_TYPE = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}(; ?[\w-]+=[\w.+-]+)*", re.ASCII)
# S3 takes at most 5 GiB in one PUT, and 48.8 TiB (5 TiB until 2025) in parts of 5 MiB or more.
SINGLE_PUT_BYTES_MAX, FILE_BYTES_MAX = 5 * 1024**3, 5 * 1024**4
# At most 1,000 parts: one page of ListParts tells them all. 10,000 is S3's own limit.
PART_BYTES_MIN, PARTS_MAX = 8 * MIB, 1000


class Tier(BaseModel):
    """What one role may do; the lane is the ingest topic it waits in. Sizes are in bytes."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, extra="forbid", strict=True)

    file_size_max: int = Field(gt=0, le=FILE_BYTES_MAX)
    concurrent_uploads: int = Field(gt=0, le=1000)
    requests_per_minute: int = Field(gt=0)
    requests_per_second: int = Field(gt=0)
    storage_quota: int = Field(gt=0)
    multipart_threshold: int = Field(ge=5 * MIB, le=SINGLE_PUT_BYTES_MAX)
    url_expires_seconds: int = Field(gt=0, le=7 * 24 * 3600)
    trash_seconds: int = Field(ge=0, le=10 * 366 * 24 * 3600)
    lane: str = Field(pattern="^(basic|premium)$")

    def limits(self) -> dict[str, int]:
        """What the tier's users are told."""
        return self.model_dump(by_alias=True, exclude={"lane", "requests_per_second"})


@dataclass(frozen=True, slots=True)
class Policy:
    """The tiers as data, and the checks that need them."""

    tiers: Mapping[str, Tier]

    @classmethod
    def from_json(cls, text: str) -> Policy:
        """Raises ``ValueError`` with a readable reason when *text* is not a tier file."""
        try:
            given = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"the tier file is no JSON: {error}") from error
        if not isinstance(given, dict):
            raise ValueError("the tier file is no JSON object with a member for each tier")
        tiers: dict[str, Tier] = {}
        for name, tier in given.items():
            try:
                tiers[name] = Tier.model_validate(tier)
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False)[0]
                member = ".".join([name, *map(str, first["loc"])])
                raise ValueError(f"the tier file is wrong: {member}: {first['msg']}") from error
        if missing := {BASIC, PREMIUM} - tiers.keys():
            raise ValueError(f"the tier file lacks: {', '.join(sorted(missing))}")
        return cls(tiers)

    def tier(self, name: str) -> Tier:
        """The tier of this name; an unknown one is basic."""
        return self.tiers.get(name, self.tiers[BASIC])

    def tier_of(self, roles: tuple[str, ...]) -> str:
        """The best tier among the roles: the last of them in the file; no known one is basic."""
        known = [name for name in self.tiers if name in roles]
        return known[-1] if known else BASIC

    def check(self, file: FileFacts, tier_name: str) -> None:
        """Raises ``FileTooLarge`` when the tier does not allow a file of this size."""
        tier, premium = self.tier(tier_name), self.tiers[PREMIUM]
        if file.size > tier.file_size_max:
            raise FileTooLarge(
                f"{file.size} bytes is over the {tier.file_size_max} bytes a {tier_name} upload "
                "may have",
                Use(tier_name, tier.file_size_max, premium.file_size_max, size=file.size),
            )

    def part_size(self, file: FileFacts, tier_name: str) -> int | None:
        """The bytes of each part; None when the file goes in one PUT."""
        if file.size <= self.tier(tier_name).multipart_threshold:
            return None
        wanted = -(-file.size // PARTS_MAX)
        return max(PART_BYTES_MIN, -(-wanted // MIB) * MIB)


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
    check_name(file.name, "file.name")
    check_folder(file.folder, "file.folder")
    if not 1 <= file.size < 2**63:
        raise InvalidRequest("size is in bytes and at least 1: no empty files", "file.size")
    if not MEDIA_TYPE.fullmatch(file.content_type):
        raise InvalidRequest(
            "contentType is not a media type such as text/plain", "file.contentType"
        )


def check_name(name: str, member: str) -> None:
    """Raises ``InvalidRequest`` about *member* for a name that cannot be shown or stored."""
    if not name.strip():
        raise InvalidRequest("the file needs a name", member)
    # NUL cannot be stored everywhere; newlines and the like are only dangerous unescaped.
    if "\0" in name or any(unicodedata.category(char) == "Cs" for char in name):
        raise InvalidRequest("the name holds NUL or a lone surrogate", member)
    if len(name.encode()) > NAME_BYTES_MAX:
        raise InvalidRequest(f"the name is over {NAME_BYTES_MAX} bytes of UTF-8", member)


def check_folder(folder: str, member: str) -> None:
    """Refuse what is no relative path of named parts: it is shown, and rebuilt by downloads."""
    parts = folder.split("/") if folder else []
    if "\0" in folder or any(unicodedata.category(char) == "Cs" for char in folder):
        raise InvalidRequest("the folder holds NUL or a lone surrogate", member)
    if any(part in (".", "..") or not part.strip() for part in parts) or "\\" in folder:
        raise InvalidRequest("the folder is a relative path such as photos/2026", member)
    if len(folder.encode()) > FOLDER_BYTES_MAX:
        raise InvalidRequest(f"the folder is over {FOLDER_BYTES_MAX} bytes", member)
