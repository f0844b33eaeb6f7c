"""Tiers, roles and what makes a request sensible."""

from dataclasses import replace
from importlib import resources

import pytest

from hoist.domain import policy
from hoist.domain.errors import FileTooLarge, InvalidRequest
from hoist.domain.model import FileFacts
from hoist.domain.policy import Policy

MIB = 1024**2
POLICY = Policy.from_json((resources.files("hoist") / "tiers.json").read_text())
FACTS = FileFacts("a.txt", 12, "text/plain")


@pytest.mark.parametrize(("tier", "limit"), [("basic", 100 * MIB), ("premium", 5120 * MIB)])
def test_the_limit_itself_passes_and_one_byte_more_does_not(tier, limit):
    POLICY.check(replace(FACTS, size=limit), tier)
    with pytest.raises(FileTooLarge) as caught:
        POLICY.check(replace(FACTS, size=limit + 1), tier)
    assert caught.value.details() == {
        "size": limit + 1,
        "limit": limit,
        "tier": tier,
        "premiumLimit": 5120 * MIB,
    }


@pytest.mark.parametrize(
    ("claim", "roles"),
    [
        (["premium"], ("premium",)),
        ('["premium", "admin"]', ("premium", "admin")),
        ("premium,admin", ("premium", "admin")),
        ("[premium admin]", ("premium", "admin")),
        ("[premium]", ("premium",)),
        (None, ()),
        (7, ()),
        ({"premium": True}, ()),
        (["premium", 7], ()),
        ("[[premium]]", ()),
        ("[" * 50_000, ()),
    ],
)
def test_roles_come_in_every_form_and_unknown_shapes_give_none(claim, roles):
    assert policy.roles_from_claim(claim) == roles


def test_the_better_of_two_roles_counts_and_an_unknown_one_is_basic():
    assert POLICY.tier_of(("premium", "basic")) == "premium"
    assert POLICY.tier_of(("basic",)) == "basic"
    assert POLICY.tier_of(("emperor",)) == "basic"
    assert POLICY.tier_of(()) == "basic"


@pytest.mark.parametrize("name", ["", "   ", "a\0b", "\ud800", "x" * 1025, "é" * 513])
def test_impossible_names_are_refused(name):
    with pytest.raises(InvalidRequest):
        policy.check_file(replace(FACTS, name=name))


@pytest.mark.parametrize("name", ["x" * 1024, "../etc", 'a"b', "\u202egnp", "\U0001f600" * 63])
def test_odd_names_are_only_text(name):
    policy.check_file(replace(FACTS, name=name))


@pytest.mark.parametrize("size", [0, -1])
def test_a_file_of_nothing_is_refused(size):
    with pytest.raises(InvalidRequest, match="at least 1"):
        policy.check_file(replace(FACTS, size=size))


@pytest.mark.parametrize(
    "content_type", ["", "text", "text/plain\r\nX: y", "a/b/c", "text /plain", "é/é"]
)
def test_a_content_type_is_a_media_type(content_type):
    with pytest.raises(InvalidRequest):
        policy.check_file(replace(FACTS, content_type=content_type))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"basic": {}}', '{"basic": 1, "premium": 2}'])
def test_a_wrong_tier_file_says_what_is_wrong(text):
    with pytest.raises(ValueError, match="the tier file"):
        Policy.from_json(text)


@pytest.mark.parametrize("folder", ["", "a", "photos/2026", "a b/ü", "..a/b.."])
def test_a_folder_is_a_relative_path(folder):
    policy.check_file(replace(FACTS, folder=folder))


@pytest.mark.parametrize(
    "folder", ["/a", "a/", "a//b", ".", "a/../b", "..", " ", "a\\b", "a\0", "x" * 1025]
)
def test_a_folder_that_leads_elsewhere_is_refused(folder):
    with pytest.raises(InvalidRequest) as caught:
        policy.check_file(replace(FACTS, folder=folder))
    assert caught.value.field == "file.folder"


@pytest.mark.parametrize(
    ("size", "part_size"),
    [
        (100 * MIB, None),
        (100 * MIB + 1, 8 * MIB),
        (5 * 1024 * MIB, 8 * MIB),
        (8000 * MIB, 8 * MIB),
        (8000 * MIB + 1, 9 * MIB),
        (5 * 1024**2 * MIB, 5243 * MIB),
    ],
)
def test_large_files_come_in_at_most_a_thousand_parts_that_s3_takes(size, part_size):
    found = POLICY.part_size(replace(FACTS, size=size), "premium")
    assert found == part_size
    if found:
        assert -(-size // found) <= 1000
