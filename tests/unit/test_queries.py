"""The parameters of a list: what they ask for, and that a wrong one is named."""

import pytest
from werkzeug.datastructures import MultiDict

from hoist.domain.errors import InvalidRequest
from hoist.domain.listing import NEWEST_FIRST, Listing, Order
from hoist.domain.model import Status, Visibility
from hoist.gateway.queries import listing_of


def asked(**parameters):
    return listing_of(MultiDict(parameters))


@pytest.mark.parametrize(
    ("parameters", "listing"),
    [
        ({}, NEWEST_FIRST),
        ({"sort": "created"}, Listing(is_descending=False)),
        ({"sort": "name"}, Listing(Order.NAME, is_descending=False)),
        ({"sort": "-size"}, Listing(Order.SIZE)),
        ({"status": "deleted"}, Listing(is_trash=True)),
        (
            {"status": "stored,expired"},
            Listing(statuses=frozenset({Status.STORED, Status.EXPIRED})),
        ),
        ({"visibility": "public"}, Listing(visibility=Visibility.PUBLIC)),
        ({"name": "Räk%"}, Listing(name_contains="Räk%")),
        ({"type": "image/png"}, Listing(content_type="image/png")),
        ({"type": "image/*"}, Listing(content_type="image/")),
        ({"createdFrom": "1970-01-01T00:00:01Z"}, Listing(created_from_ms=1000)),
        ({"createdTo": "1970-01-01T01:00:00.5+01:00"}, Listing(created_to_ms=500)),
        ({"sizeMin": "0", "sizeMax": "10"}, Listing(size_min=0, size_max=10)),
        ({"folder": "a/b"}, Listing(folder="a/b")),
        ({"folder": "a/"}, Listing(folder="a", is_deep=True)),
        ({"folder": ""}, Listing(folder="")),
        ({"folder": "/"}, Listing(folder="", is_deep=True)),
    ],
)
def test_a_parameter_asks_for_what_the_documentation_says(parameters, listing):
    assert asked(**parameters) == listing


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sort", "age"),
        ("sort", "--name"),
        ("sort", ""),
        ("status", "stored,deleted"),
        ("status", "cancelled"),
        ("status", "x"),
        ("visibility", "secret"),
        ("visibility", ""),
        ("name", "a\0b"),
        ("name", "x" * 256),
        ("type", "image"),
        ("type", "image/p*g"),
        ("type", "x/" + "y" * 300),
        ("createdFrom", "yesterday"),
        ("createdFrom", "2026-01-31"),
        ("createdTo", "2026-01-31T12:00:00"),
        ("sizeMin", "-1"),
        ("sizeMin", "1e3"),
        ("sizeMax", "٣"),
        ("sizeMax", "9" * 16),
        ("folder", "\0"),
        ("tag", "x"),
        ("cursor", "x"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(field, value):
    with pytest.raises(InvalidRequest) as refused:
        asked(**{field: value})
    assert refused.value.field == field


def test_a_parameter_may_not_come_twice():
    with pytest.raises(InvalidRequest, match="twice"):
        listing_of(MultiDict([("name", "a"), ("name", "b")]))
