"""Part of the doctor: each page that the cache keeps, against the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice

from hoist.domain.ports import Clock, MetadataStore, Page
from hoist.domain.volatile import KeptPage, KeptPages
from hoist.pipeline.doctor import Finding, Seen, amount, command
from hoist.pipeline.pages import asked_by, page_of

PAGES_MAX = 1_000
BETWEEN_SECONDS, PATIENCE_SECONDS = 0.5, 5.0
NAMED_MAX = 3


@dataclass(frozen=True)
class CheckLists:
    """One list of the store for each page, up to *pages_max* of them; holds those that differ.

    A writer starts a new generation right after its write: a page that differs is looked at for
    *patience_seconds* before it is told.
    """

    kept: KeptPages
    store: MetadataStore
    clock: Clock
    sleep: Callable[[float], None]
    pages_max: int = PAGES_MAX
    patience_seconds: float = PATIENCE_SECONDS

    def __call__(self) -> Seen:
        count, users, suspects = 0, set(), []
        pages = self.kept.scan()
        for page in islice(pages, self.pages_max):
            count += 1
            users.add(page.user_id)
            if self._difference(page):
                suspects.append(page)
        what = f"{amount(count, 'cached page')} of {amount(len(users), 'user')}"
        if count == self.pages_max and next(pages, None):
            what += ", a sample of more"
        return Seen(f"{what}, against the store", tuple(self._lasting(suspects)))

    def _lasting(self, suspects: list[KeptPage]) -> list[Finding]:
        """Those that still differ when the time is over, by user."""
        ends_ms = self.clock() + self.patience_seconds * 1000
        differing = [(page, "") for page in suspects]
        while differing and self.clock() < ends_ms:
            self.sleep(BETWEEN_SECONDS)
            now = [self.kept.again(page) for page, _ in differing]
            differing = [(page, d) for page in now if page and (d := self._difference(page))]
        told: dict[str, list[str]] = {}
        for page, difference in differing:
            told.setdefault(page.user_id, []).append(difference)
        return [_finding(user_id, differences) for user_id, differences in told.items()]

    def _difference(self, page: KeptPage) -> str | None:
        """How *page* differs from the store; None when it does not, or nobody can tell."""
        if not (asked := asked_by(page.body)):
            return None
        listing, limit = asked
        cached = _shown(page_of(page.body))
        live = _shown(self.store.list_by_user(page.user_id, listing, limit=limit))
        return None if cached == live else _in_words(cached, live)


def _shown(page: Page) -> Page:
    """*page* without what no list shows: a store that was made anew counts other writes."""
    return replace(page, records=tuple(replace(row, version=0) for row in page.records))


def _in_words(cached: Page, live: Page) -> str:
    theirs = {row.file_id: row for row in cached.records}
    ours = {row.file_id: row for row in live.records}
    both = theirs.keys() & ours.keys()
    named = {
        "only in the cache": theirs.keys() - both,
        "only in the store": ours.keys() - both,
        "other in the store": {name for name in both if theirs[name] != ours[name]},
    }
    parts = [
        f"{words}: {', '.join(sorted(ids)[:NAMED_MAX])}" + (" …" if len(ids) > NAMED_MAX else "")
        for words, ids in named.items()
        if ids
    ]
    counts = f"the cache shows {len(theirs)} files, the store {len(ours)}"
    return "; ".join([counts, *(parts or ["in another order, or with another next page"])])


def _finding(user_id: str, differences: list[str]) -> Finding:
    others = f" (and {len(differences) - 1} pages more)" if len(differences) > 1 else ""
    return Finding(
        "old_list",
        user_id,
        differences[0] + others,
        command("hoist", "admin", "forget-lists", user_id),
        "lists come from the store again; in a minute the page ends by itself",
    )
