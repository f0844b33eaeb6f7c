"""Random rows, changes and lists, small enough that they meet."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from hoist.domain.listing import Listing, Order
from hoist.domain.model import Status, Step, Visibility
from tests.contracts.test_listing import FOLDERS, NAMES, SIZES, TIMES, TYPES, listings

FILES = [f"m-{number}" for number in range(12)]
DUE = [100, 200, 300]
STEP = Step("file.stored", 7, "hoist.metadata", 1, 2, "bucket/1", "metadata/2", "trace")


@dataclass(frozen=True)
class Place:
    """A row of one of two users; ``off_by`` is how wrong the version is that somebody has."""

    who: int
    kind: str
    which: int
    off_by: int


places = st.builds(
    Place,
    who=st.integers(0, 1),
    kind=st.sampled_from(["file", "file", "file", "account", "share", "downloads"]),
    which=st.integers(0, len(FILES) - 1),
    off_by=st.sampled_from([0, 0, 0, 0, 0, -1, 1]),
)
contents = st.fixed_dictionaries(
    {
        "name": st.sampled_from(NAMES),
        "size": st.sampled_from(SIZES),
        "type": st.sampled_from(TYPES),
        "folder": st.sampled_from(FOLDERS),
        "visibility": st.sampled_from(Visibility),
        "status": st.sampled_from([*Status, *[Status.PENDING, Status.DELETED] * 3]),
        "time": st.sampled_from(TIMES),
        "due": st.sampled_from(DUE),
        "steps": st.sampled_from([(), (STEP,), (STEP, STEP)]),
    }
)
changes = st.lists(
    st.lists(st.tuples(places, contents), min_size=1, max_size=4), min_size=1, max_size=5
)
firsts = st.lists(contents, min_size=len(FILES), max_size=len(FILES))
# One filter alone finds more to disagree about than all at once.
one_filter = st.one_of(
    st.fixed_dictionaries({}),
    st.fixed_dictionaries({"name_contains": st.sampled_from(["%_", "\\b'", "SS", "ö"])}),
    st.fixed_dictionaries({"content_type": st.sampled_from([*TYPES, "image/", "image/p"])}),
    st.fixed_dictionaries({"folder": st.sampled_from(FOLDERS), "is_deep": st.booleans()}),
    st.fixed_dictionaries({"created_from_ms": st.sampled_from(TIMES)}),
    st.fixed_dictionaries({"created_to_ms": st.sampled_from(TIMES)}),
    st.fixed_dictionaries({"size_min": st.sampled_from(SIZES)}),
    st.fixed_dictionaries({"size_max": st.sampled_from(SIZES)}),
    st.fixed_dictionaries({"is_trash": st.just(True)}),
)
some_listings = st.one_of(
    listings,
    st.builds(
        lambda order, is_descending, members: Listing(order, is_descending, **members),
        st.sampled_from(Order),
        st.booleans(),
        one_filter,
    ),
)
