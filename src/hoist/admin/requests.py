"""What operators ask for, in query parameters and bodies."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field

from hoist.domain.messages import Wire
from hoist.pipeline.letters import PARSERS, STATES, Wanted
from hoist.pipeline.replay import REPLAYS_MAX, ReplayOrder

LETTERS_MAX = 500  # of one answer
REPLAY_SECONDS_MAX = 60


def _known_group(name: str) -> str:
    if name not in PARSERS:
        raise ValueError(f"is one of {', '.join(PARSERS)}")
    return name


Group = Annotated[str, AfterValidator(_known_group), Field(json_schema_extra={"enum": [*PARSERS]})]
Time = Annotated[AwareDatetime, Field(strict=False)]


class LetterFilter(Wire):
    """Which letters: those that all of these describe."""

    model_config = ConfigDict(extra="forbid", strict=True)

    groups: list[Group] | None = Field(default=None, min_length=1)
    error: str = Field(default="", description="Part of the cause, in any case")
    user: str = Field(default="", description="Whose")
    from_: Time | None = Field(default=None, alias="from", description="Set aside since")
    to: Time | None = Field(default=None, description="Set aside before")
    state: Literal["open", "replaying", "replayed", "dropped", "all"] = "open"

    def wanted(self) -> Wanted:
        return Wanted(
            groups=tuple(name for name in PARSERS if name in (self.groups or PARSERS)),
            error=self.error,
            user_id=self.user,
            from_ms=round(self.from_.timestamp() * 1000) if self.from_ else None,
            to_ms=round(self.to.timestamp() * 1000) if self.to else None,
            states=STATES[self.state],
        )


class LetterQuery(LetterFilter):
    limit: Annotated[int, Field(strict=False, ge=1, le=LETTERS_MAX)] = 100
    after: str = Field(default="", description="`next` of the page before")


class ReplayRequest(Wire):
    """``ids``, or ``filter``: an empty one means every open letter."""

    model_config = ConfigDict(extra="forbid", strict=True)

    ids: list[str] | None = Field(default=None, min_length=1, max_length=LETTERS_MAX)
    filter: LetterFilter | None = None
    after: str = Field(default="", description="With `filter`: `next` of the answer before")
    limit: int = Field(default=100, ge=1, le=LETTERS_MAX)
    dry_run: bool = False
    per_second: float | None = Field(
        default=None, gt=0, le=10_000, allow_inf_nan=False, strict=False
    )
    replays_max: int = Field(default=REPLAYS_MAX, ge=0)
    force: bool = False
    again: bool = False

    @property
    def seconds(self) -> float:
        """How long its pauses take at most."""
        count = len(self.ids) if self.ids else self.limit
        return count / self.per_second if self.per_second else 0

    def order(self, by: str) -> ReplayOrder:
        return ReplayOrder(
            by, self.dry_run, self.per_second, self.replays_max, self.force, self.again
        )
