"""Which files a command line means: the named ones, and those in the named folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from hoist.cli.output import printable, say
from hoist.cli.problems import Failure


def gather(paths: Iterable[Path]) -> list[tuple[Path, str]]:
    """Each file with the folder to show it under: ``""`` for a named file.

    Files of a folder come sorted, under the folder's own name; links to folders are not
    followed, and what is no file (a socket, a pipe) is named on stderr and left out.
    """
    found: list[tuple[Path, str]] = []
    for path in paths:
        if path.is_dir():
            found += _walk(path)
        elif path.is_file():
            found.append((path, ""))
        else:
            raise Failure(f"{printable(str(path))}: not a regular file")
    return found


def _walk(root: Path) -> Iterator[tuple[Path, str]]:
    name = root.resolve().name  # "." and "album/.." have names, too
    for folder, subfolders, names in os.walk(root, onerror=_refuse):
        subfolders.sort()
        inside = Path(folder).relative_to(root).parts
        shown = "/".join(shown_part(part) for part in (name, *inside) if part)
        for file in sorted(names):
            path = Path(folder, file)
            if path.is_file():
                yield path, shown
            else:
                say(f"{printable(str(path))}: not a regular file, left out")


def _refuse(error: OSError) -> None:
    raise error


def shown_part(name: str) -> str:
    """A file or folder name as display text: the service takes no bytes outside UTF-8, and in a
    folder no backslash and no blank part."""
    text = shown_name(name).replace("\\", "_")
    return text if text.strip() else "_" * len(text)


def shown_name(name: str) -> str:
    return os.fsencode(name).decode(errors="replace")
