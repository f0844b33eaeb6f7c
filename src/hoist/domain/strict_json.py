"""JSON as strangers send it: read strictly, refused calmly."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from hoist.domain.errors import Malformed

DEPTH_MAX = 8


def decode(raw: bytes | str) -> Any:
    """JSON, strictly: no NaN or Infinity, no repeated names, no lone surrogates, not too deep.

    Raises ``Malformed``. The standard parser accepts all of these and they break things later
    (RELIABILITY section 6, JSON).
    """
    try:
        text = raw if isinstance(raw, str) else raw.decode("utf-8")
        data = _DECODER.decode(text)
        if "\\u" in text:
            json.dumps(data, ensure_ascii=False).encode()  # a lone surrogate cannot be encoded
    except Malformed:
        raise
    except RecursionError as error:
        raise Malformed("not JSON we accept: nested too deeply") from error
    except UnicodeError as error:
        raise Malformed("not JSON we accept: not valid UTF-8 text") from error
    except ValueError as error:
        is_long = "int_max_str_digits" in str(error)
        why = "a number has too many digits" if is_long else error
        raise Malformed(f"not JSON we accept: {why}") from error
    # As deep as it has brackets, at most.
    if text.count("{") + text.count("[") > DEPTH_MAX and _deeper_than(data, DEPTH_MAX):
        raise Malformed("not JSON we accept: nested too deeply")
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("not JSON we accept: a name occurs twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise Malformed(f"not JSON we accept: {name} is not a number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Malformed("not JSON we accept: a number is too large")
    return number


def _deeper_than(data: Any, depth: int) -> bool:
    if not isinstance(data, dict | list):
        return False
    if depth == 0:
        return True
    inner = data.values() if isinstance(data, dict) else data
    return any(_deeper_than(item, depth - 1) for item in inner)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
)
