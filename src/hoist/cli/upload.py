"""hoist upload: files in parallel over one socket, a progress bar each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from hoist.cli.context import Context, pass_context
from hoist.cli.output import print_json, print_rows, printable, say
from hoist.cli.problems import PARTLY_FAILED, Failure, exit_code_of, explain, explain_system
from hoist.client import Client, HoistProblem, Upload
from hoist.client.views import OnProgress


@dataclass(frozen=True)
class Outcome:
    """What became of one file: an upload or a reason."""

    path: Path
    upload: Upload | None = None
    problem: HoistProblem | OSError | None = None

    @property
    def reason(self) -> str:
        if isinstance(self.problem, HoistProblem):
            return explain(self.problem)
        return explain_system(self.problem) if self.problem else ""

    @property
    def exit_code(self) -> int:
        return exit_code_of(self.problem) if isinstance(self.problem, HoistProblem) else 1


@click.command()
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path),
)
@click.option("--public", is_flag=True, help="Mark as public instead of private.")
@click.option("--rest", is_flag=True, help="Use REST instead of the WebSocket.")
@click.option("--message-id", help="Repeat an earlier upload of one file; it is stored once.")
@click.option("--content-type", help="Media type  [default: guessed from the name]")
@click.option("--parallel", default=4, show_default=True, type=click.IntRange(1, 32), metavar="N")
@click.option("--json", "as_json", is_flag=True, help="Print the outcomes as JSON.")
@pass_context
def upload(context: Context, /, files: tuple[Path, ...], **options: Any) -> None:
    """Upload files; returns once storage has confirmed each.

    Prints a line per stored file: its id, a tab, its name.
    """
    if options["message_id"] and len(files) > 1:
        raise click.UsageError("--message-id belongs to one FILE")
    over: Literal["rest", "socket"] = "rest" if options["rest"] else "socket"
    with context.client() as client, _bars() as bar_of:

        def one(path: Path) -> Outcome:
            return _upload(client, path, bar_of(path), over, options)

        with ThreadPoolExecutor(options["parallel"]) as pool:
            outcomes = list(pool.map(one, files))
    _report(outcomes, as_json=options["as_json"])


def _upload(
    client: Client,
    path: Path,
    on_progress: OnProgress,
    over: Literal["rest", "socket"],
    options: dict[str, Any],
) -> Outcome:
    try:
        done = client.upload(
            path,
            visibility="public" if options["public"] else "private",
            content_type=options["content_type"],
            message_id=options["message_id"],
            on_progress=on_progress,
            over=over,
        )
    except (HoistProblem, OSError) as problem:
        return Outcome(path, problem=problem)
    return Outcome(path, upload=done)


def _report(outcomes: list[Outcome], *, as_json: bool) -> None:
    """The stored files on stdout, the reasons on stderr, and the exit code."""
    stored = [outcome.upload for outcome in outcomes if outcome.upload]
    failed = [outcome for outcome in outcomes if not outcome.upload]
    if as_json:
        problems = [{"path": str(item.path), "detail": item.reason} for item in failed]
        print_json({"files": [upload.file for upload in stored], "problems": problems})
    elif stored:
        print_rows(("ID", "NAME"), [(item.file_id, item.file["name"]) for item in stored])
    if len(outcomes) == 1 and failed:
        raise Failure(f"{printable(str(failed[0].path))}: {failed[0].reason}", failed[0].exit_code)
    for item in failed:
        say(f"{printable(str(item.path))}: {item.reason}")
    if failed:
        codes = {item.exit_code for item in failed}
        code = PARTLY_FAILED if stored else codes.pop() if len(codes) == 1 else 1
        raise Failure(f"{len(failed)} of {len(outcomes)} files failed", code)


@contextmanager
def _bars() -> Iterator[Callable[[Path], OnProgress]]:
    """Progress bars on stderr while it is a terminal; nothing otherwise."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:

        def bar_of(path: Path) -> OnProgress:
            label = escape(printable(path.name))
            task = progress.add_task(label, total=path.stat().st_size)
            return lambda sent: progress.update(task, completed=sent)

        yield bar_of
