"""How far a filtered page looks: about as far as it needs, whoever's list it is."""

import pytest

from hoist.adapters.dynamodb import QUERIES_MAX, next_limit


@pytest.mark.parametrize(
    ("looked", "found", "expected"),
    [(51, 0, 204), (51, 1, 204), (51, 25, 67), (51, 50, 2)],
    ids=["nothing yet", "rare", "every second", "all but one"],
)
def test_the_next_look_is_for_what_the_rest_needs(looked, found, expected):
    assert next_limit(51, looked, found, 51) == expected


@pytest.mark.parametrize("every", [1, 2, 3, 10, 100])
def test_a_page_is_full_within_the_queries_it_may_take(every):
    """Rows of which every so-manieth fits."""
    limit, looked, queries = 51, 0, 0
    while looked // every < 51:
        looked, queries = looked + limit, queries + 1
        limit = next_limit(limit, looked, looked // every, 51)
    assert queries < QUERIES_MAX
    assert looked <= 51 * every * 1.3 + 204
