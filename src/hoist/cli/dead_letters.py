"""hoist admin dlq: what nobody could handle, looked at, mended, replayed or given up."""

from __future__ import annotations

import getpass
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import Any, BinaryIO

import click

from hoist import wiring
from hoist.cli.amounts import moment_of
from hoist.cli.json_text import compact, laid_out
from hoist.cli.output import print_facts, print_json, print_rows, printable, say
from hoist.cli.problems import UNREACHABLE, Failure
from hoist.domain.errors import Malformed, Outdated, Rejected, Unavailable
from hoist.pipeline.letter_views import letter_view, whole_letter_view
from hoist.pipeline.letters import PARSERS, STATES, Letter, Wanted, as_text, decoded, unreadable

SHOWN_CHARACTERS = 4_000
id_argument = click.argument("letter_id", metavar="ID")
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def dlq() -> None:
    """The dead letters: look at them, mend, replay or drop them.

    A letter is called GROUP:OFFSET. It is open until somebody replays or drops it; what was decided
    by whom is kept beside it.
    """


@contextmanager
def at_the_desk() -> Iterator[wiring.Services]:
    """The services; refusals become one line, with the exit codes of every command."""
    services = wiring.services()
    try:
        yield services
    except Unavailable as error:
        raise Failure(f"{error}; try again when it is back", UNREACHABLE) from error
    except (Rejected, Malformed, Outdated) as error:
        raise Failure(str(error)) from error
    finally:
        services.close()


def me() -> str:
    """Who decides, as the decision will say."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError):  # a user id without a name, as in some containers
        return f"operator@{socket.gethostname()}"


def filters(command: Callable[..., None]) -> Callable[..., None]:
    """The options of ``wanted``."""
    options = (
        click.option(
            "--group",
            "groups",
            multiple=True,
            type=click.Choice(list(PARSERS)),
            help="Of this consumer group; may be repeated.",
        ),
        click.option("--error", default="", metavar="TEXT", help="Whose cause contains TEXT."),
        click.option("--user", default="", metavar="ID", help="Of this user."),
        click.option("--from", "from_", type=moment_of, metavar="TIME", help="Set aside since."),
        click.option("--to", type=moment_of, metavar="TIME", help="Set aside before."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def wanted(
    groups: tuple[str, ...],
    error: str,
    user: str,
    from_: datetime | None,
    to: datetime | None,
    **more: Any,
) -> Wanted:
    return Wanted(
        groups=groups or tuple(PARSERS),
        error=error,
        user_id=user,
        from_ms=_ms(from_),
        to_ms=_ms(to),
        **more,
    )


def _ms(moment: datetime | None) -> int | None:
    return round(moment.timestamp() * 1000) if moment else None


@dlq.command("list")
@filters
@click.option(
    "--state", type=click.Choice(list(STATES)), default="open", show_default=True, help="In which."
)
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most.")
@as_json_option
def list_(state: str, limit: int, as_json: bool, **chosen: Any) -> None:
    """Show dead letters, group by group, the oldest first."""
    which = wanted(**chosen, states=STATES[state])
    with at_the_desk() as services:
        letters = list(islice(services.dead_letters.matching(which), limit + 1))
        views = [letter_view(letter, services.clock()) for letter in letters[:limit]]
    if as_json:
        print_json({"letters": views})
    else:
        headings = ("LETTER", "SET ASIDE", "STATE", "REPLAYS", "USER", "CAUSE")
        print_rows(headings, [_row(view) for view in views])
    more = "; there are more: see --limit" if len(letters) > limit else ""
    say(f"{len(views)} dead letters{more}.")


def _row(view: dict[str, Any]) -> tuple[object, ...]:
    state = view["state"] + (", edited" if view["isEdited"] else "")
    cause = f"{view['errorClass']}: {view['error']}"
    return (view["id"], view["at"], state, view["replays"], view["userId"], cause)


@dlq.command()
@id_argument
@click.option("--raw", is_flag=True, help="Only the payload, byte for byte.")
@as_json_option
def show(letter_id: str, raw: bool, as_json: bool) -> None:
    """Show one dead letter: payload, headers, cause, trace, and what was decided."""
    with at_the_desk() as services:
        letter = services.dead_letters.get(letter_id)
        view = whole_letter_view(letter, services.clock())
    if raw:
        sys.stdout.buffer.write(letter.payload)
    elif as_json:
        print_json(view)
    else:
        _show(letter, view)


def _show(letter: Letter, view: dict[str, Any]) -> None:
    origin = view["origin"]
    facts = [
        ("letter", view["id"]),
        ("state", view["state"] + (", edited" if view["isEdited"] else "")),
        ("set aside", view["at"]),
        ("first failure", view.get("firstFailure", "")),
        ("cause", f"{view['errorClass']}: {view['error']}"),
        ("attempts", f"{view['attempts']}, replayed {view['replays']} times before"),
        ("origin", f"{origin['topic']} {origin['partition']} {origin['offset']}"),
        ("user", view["userId"]),
        ("trace", view.get("traceId", "")),
    ]
    for one in view["decisions"]:
        to = one.get("to", {})
        rest = " ".join(str(part) for part in (one.get("reason", ""), *to.values()))
        facts.append((one["action"], f"{one['at']} by {one['by']} {rest}"))
    facts += [(header["name"], header["value"]) for header in view["headers"]]
    print_facts(facts)
    if "unreadable" in view:
        say(f"Its group cannot read it: {view['unreadable']}.")
    shown = editable(letter.payload)
    for line in shown[:SHOWN_CHARACTERS].splitlines():
        click.echo(printable(line))
    if len(shown) > SHOWN_CHARACTERS:
        say(f"… of {len(letter.payload)} bytes; all of them: --raw")


@dlq.command()
@id_argument
@click.option("--file", type=click.File("rb"), metavar="FILE", help="Take it from there, or -.")
def edit(letter_id: str, file: BinaryIO | None) -> None:
    """Mend a dead letter's payload; `replay` then sends the mended one.

    Opens $EDITOR, where every value that you leave alone stays as it is, byte for byte. With --file
    the payload is taken exactly as it is there.
    """
    with at_the_desk() as services:
        desk = services.dead_letters
        letter = desk.get(letter_id)
        if file is None and not (sys.stdin.isatty() or os.environ.keys() & {"EDITOR", "VISUAL"}):
            raise click.UsageError("there is no terminal for an editor; give the payload by --file")
        payload = file.read() if file else from_editor(letter)
        if payload == letter.payload:
            say("Nothing was changed.")
            return
        desk.edit(letter_id, payload, me())
    say(f"Edited. Send it: hoist admin dlq replay {letter_id}")


def editable(payload: bytes) -> str:
    """*payload* with a line for each member, when it is JSON."""
    text = as_text(payload)
    return laid_out(text) if decoded(payload) is not None else text


def from_editor(letter: Letter) -> bytes:
    """The payload as a person changed it. Raises ``Malformed`` when they give up."""
    text = editable(letter.payload)
    while True:
        written = click.edit(text, extension=".json")
        if written is None or written == text:
            return letter.payload
        raw = written.strip().encode("utf-8", "surrogateescape")
        payload = compact(written).encode() if decoded(raw) is not None else raw
        why = unreadable(letter.group, payload)
        if why is None:
            return payload
        say(f"That cannot be read: {why}.")
        if not sys.stdin.isatty() or not click.confirm("Edit again?", default=True, err=True):
            raise Malformed(why)
        text = written


@dlq.command()
@id_argument
@click.option("--reason", required=True, help="Why; it is kept.")
def drop(letter_id: str, reason: str) -> None:
    """Give a dead letter up. Who waits for its upload hears that it was refused."""
    with at_the_desk() as services:
        services.dead_letters.drop(letter_id, reason, me())
    say(f"Dropped {letter_id}.")
