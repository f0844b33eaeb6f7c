"""Names for file systems out of names that strangers chose.

A safe part means the same on Linux, macOS and Windows: it is no path, no device, and never longer
than they take.
"""

from __future__ import annotations

import re
import unicodedata

PART_BYTES_MAX = 255  # of one name on every usual file system
SUFFIX_BYTES_MAX = 32  # a longer "extension" is no extension

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # they make "exe.txt" of "txt.exe"
_UNSAFE = re.compile(rf'[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff<>:"/\\|?*{_BIDI}]')
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\.|$)", re.I)


def safe_part(text: str) -> str:
    """*text* as one name; ``""`` when it says nothing, as ``..`` does."""
    name = cut(_UNSAFE.sub("_", text).strip())
    return cut("_" + name) if _DEVICE.match(name) else name


def cut(name: str, bytes_max: int = PART_BYTES_MAX, ending: str = "") -> str:
    """*name* with *ending* before its extension, in at most *bytes_max*: the stem is cut for it."""
    stem, dot, suffix = name.rpartition(".")
    if not stem.strip(".") or len(suffix.encode()) > SUFFIX_BYTES_MAX:
        stem, dot, suffix = name, "", ""
    room = bytes_max - len((ending + dot + suffix).encode())
    stem = stem.encode()[: max(room, 1)].decode(errors="ignore")
    return (stem + ending + dot + suffix).rstrip(". ")


def same_key(path: str) -> str:
    """Equal for paths that some file system takes for the same."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", path).casefold())
