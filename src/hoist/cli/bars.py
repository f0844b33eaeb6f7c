"""Progress bars, one per upload, while somebody looks at a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from hoist.cli.output import printable
from hoist.client.views import OnProgress

BARS_KEPT_MAX = 10  # of finished uploads: more would scroll the others away


@contextmanager
def bars(*, on_stdout: bool = False) -> Iterator[Callable[[str, int], OnProgress]]:
    """What makes a bar from a label and a total; it draws nothing unless there is a terminal."""
    console = Console(stderr=not on_stdout)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:

        def bar_of(label: str, total: int) -> OnProgress:
            finished = [task.id for task in progress.tasks if task.finished and task.visible]
            for task_id in finished[:-BARS_KEPT_MAX]:
                progress.update(task_id, visible=False)
            mine = progress.add_task(escape(printable(label)), total=total)
            return lambda done: progress.update(mine, completed=done)

        yield bar_of
