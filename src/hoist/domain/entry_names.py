"""What files are called inside a zip: safe to extract, and nobody takes another's place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hoist.domain.safe_names import cut, safe_part, same_key


def entry_names(files: Sequence[tuple[str, str]]) -> list[str]:
    """A path for each (folder, name), in order; no two are one on any file system.

    The second of the same name becomes ``name (2).txt``.
    """
    folders = [[_part(part) for part in folder.split("/") if part] for folder, _ in files]
    # A file must not take the place of a folder that another file needs.
    taken = {
        same_key("/".join(parts[:depth])) for parts in folders for depth in range(1, len(parts) + 1)
    }
    counts: dict[str, int] = {}
    paths: list[str] = []
    for parts, (_, name) in zip(folders, files, strict=True):
        wished = _part(name)
        counted = same_key("/".join((*parts, wished)))
        for number, candidate in _candidates(wished, counts.get(counted, 1)):
            path = "/".join((*parts, candidate))
            if same_key(path) not in taken:
                taken.add(same_key(path))
                counts[counted] = number + 1
                paths.append(path)
                break
    return paths


def _part(text: str) -> str:
    return safe_part(text) or "_"


def _candidates(name: str, first: int) -> Iterator[tuple[int, str]]:
    """*name* and its numbered twins, from number *first* on."""
    number = first
    while True:
        yield number, name if number == 1 else cut(name, ending=f" ({number})")
        number += 1
