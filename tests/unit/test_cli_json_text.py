"""What an editor shows of a payload, and what comes back when nothing was touched."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoist.cli.json_text import compact, laid_out

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(ANY, st.booleans())
def test_compact_json_comes_back_byte_for_byte(data, is_ascii):
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=is_ascii)
    assert compact(laid_out(text)) == text
    assert json.loads(laid_out(text)) == data


def test_each_member_has_a_line():
    text = '{"a":1.0,"b":[],"c":{},"d":[1,{"e":"x, {\\"y\\"}: z"}]}'
    assert laid_out(text).splitlines() == [
        "{",
        '  "a": 1.0,',
        '  "b": [],',
        '  "c": {},',
        '  "d": [',
        "    1,",
        "    {",
        '      "e": "x, {\\"y\\"}: z"',
        "    }",
        "  ]",
        "}",
    ]


@pytest.mark.parametrize("number", ["1e2", "1.00", "-0", "12345678901234567890123"])
def test_numbers_stay_as_they_were_written(number):
    assert compact(laid_out(f'{{"n" : {number} }}')) == f'{{"n":{number}}}'
