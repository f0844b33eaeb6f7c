"""JSON laid out for an editor and back: only white space changes, every value stays as it is."""

from __future__ import annotations

import re

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')
_OPENING, _CLOSING = ("{", "["), ("}", "]")


def laid_out(text: str) -> str:
    """*text*, which is valid JSON, with a line for each member."""
    out: list[str] = []
    depth, before = 0, ""
    for token in _TOKEN.findall(text):
        if token in _CLOSING:
            depth -= 1
        is_empty = before in _OPENING and token in _CLOSING
        if (before in _OPENING or before == "," or token in _CLOSING) and not is_empty:
            out.append("\n" + "  " * depth)
        elif before == ":":
            out.append(" ")
        if token in _OPENING:
            depth += 1
        out.append(token)
        before = token
    return "".join(out) + "\n"


def compact(text: str) -> str:
    """*text*, which is valid JSON, without white space between its values."""
    return "".join(_TOKEN.findall(text))
