"""Where a file may go on this machine: its name and folder are chosen by strangers.

A path from here is relative, stays below the folder it is put into, and never looks like one of
our own files.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from hoist.domain import safe_names
from hoist.domain.safe_names import cut

INDEX_NAME = ".hoist-downloads.json"
_OURS = re.compile(rf"({re.escape(INDEX_NAME)}|\..*\.part)$", re.I | re.S)


def local_name(name: str, fallback: str) -> str:
    """*name* without the folders before it; *fallback*, made safe, when nothing is left of it."""
    last = re.split(r"[/\\]", name)[-1]
    return safe_part(last) or safe_part(fallback) or "_"


def local_path(folder: str, name: str, fallback: str) -> tuple[str, ...]:
    """The parts of a path; what is no step down in *folder* is left out."""
    steps = (safe_part(step) for step in re.split(r"[/\\]", folder))
    return (*filter(None, steps), local_name(name, fallback))


def safe_part(text: str) -> str:
    """*text* as one name that is none of ours; ``""`` when it says nothing."""
    name = safe_names.safe_part(text)
    return cut("_" + name) if _OURS.match(name) else name


def same_key(parts: tuple[str, ...]) -> str:
    """Equal for paths that some file system takes for the same."""
    return safe_names.same_key("/".join(parts))


def numbered(parts: tuple[str, ...], is_free: Callable[[tuple[str, ...]], bool]) -> tuple[str, ...]:
    """*parts*, or else the first of "a (2).txt", "a (3).txt"… that *is_free*."""
    number, candidate = 1, parts
    while not is_free(candidate):
        number += 1
        candidate = (*parts[:-1], cut(parts[-1], ending=f" ({number})"))
    return candidate
