"""hoist admin: for operators, with the service's own settings in the environment."""

from __future__ import annotations

import click

from hoist import wiring
from hoist.cli.dead_letter_replay import replay
from hoist.cli.dead_letters import dlq
from hoist.cli.lag import lag
from hoist.cli.mends import forget_lists, rewind, unknown_after
from hoist.cli.output import print_json, print_rows, say, size_words
from hoist.cli.problems import Failure
from hoist.config import STORE, STORE_FORMS
from hoist.domain.errors import InvalidRequest, Outdated, Unavailable
from hoist.pipeline.doctor import amount
from hoist.pipeline.rebuild import what_differs


@click.group()
def admin() -> None:
    """Look after the service. Needs its settings, as its own processes have them.

    \b
    For the local stack:  eval "$(make status O=env)"
    """


for command in (lag, forget_lists, rewind):
    admin.add_command(command)
dlq.add_command(replay)
admin.add_command(dlq)


@admin.command()
@click.option("--json", "as_json", is_flag=True, help="Print the tiers as JSON.")
def tiers(as_json: bool) -> None:
    """Show what each tier may do, from the tier file in force."""
    try:
        policy = wiring.services().policy()
    except (OSError, ValueError) as error:
        raise Failure(f"{error}; see HOIST_TIERS_FILE", 1) from error
    if as_json:
        print_json({name: tier.model_dump(by_alias=True) for name, tier in policy.tiers.items()})
        return
    headings = ("TIER", "LARGEST FILE", "AT ONCE", "A MINUTE", "A SECOND", "QUOTA", "IN PARTS OVER")
    rows = [
        (
            name,
            size_words(tier.file_size_max),
            tier.concurrent_uploads,
            tier.requests_per_minute,
            tier.requests_per_second,
            size_words(tier.storage_quota),
            size_words(tier.multipart_threshold),
        )
        for name, tier in policy.tiers.items()
    ]
    print_rows(
        (*headings, "URL LIVES", "LANE"),
        [
            (*row, f"{tier.url_expires_seconds} s", tier.lane)
            for row, tier in zip(rows, policy.tiers.values(), strict=True)
        ],
    )


@admin.command()
def migrate() -> None:
    """Bring the store's tables up to date, and say how.

    For SQL stores; a second run changes nothing, and two at once take turns. A DynamoDB table is
    made by whoever provides it.
    """
    try:
        applied = wiring.services().migrate()
    except Unavailable as error:
        raise Failure(f"{error}; try again when it is back", 4) from error
    except Outdated as error:
        raise Failure(f"{error}; use that release", 1) from error
    for name in applied:
        say(f"applied {name}")
    say("The store is up to date.")


@admin.command()
@click.option("--repair", is_flag=True, help="Mend what is found; without it nothing is changed.")
@click.option("--dry-run", is_flag=True, help="Only tell (the default).")
@unknown_after
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON.")
def reconcile(repair: bool, dry_run: bool, unknown_seconds: int, as_json: bool) -> None:
    """Compare storage, file records and the users' books.

    Exit code 0 when nothing is wrong or all was repaired, 1 when differences are left. Things
    younger than an upload's life are left alone, and what the log tells of is never removed. Two
    runs at once do no harm.
    """
    if repair and dry_run:
        raise click.UsageError("--repair and --dry-run exclude each other")
    services = wiring.services()
    try:
        found = list(services.reconcile(unknown_seconds))
        mended = sum(mend() for item in found if repair and (mend := item.repair))
    except Unavailable as error:
        raise Failure(f"{error}; try again when it is back", 4) from error
    finally:
        services.close()
    if as_json:
        members = ("kind", "subject", "detail", "mend")
        print_json({"differences": [{m: getattr(item, m) for m in members} for item in found]})
    elif found:
        print_rows(
            ("KIND", "WHAT", "DETAIL", "MEND"),
            [(item.kind, item.subject, item.detail, item.mend) for item in found],
        )
    told = amount(mended, "difference")
    if not found:
        say("Storage, records and books agree.")
    elif repair and mended == len(found):
        say(f"{told} repaired; run it again to see that none is left.")
    elif repair:
        persons = sum(item.repair is None for item in found)
        left = [f"{persons} need a person"] if persons else []
        if moved := len(found) - mended - persons:
            left.append(f"{moved} changed meanwhile: run it again")
        raise Failure(f"{told} repaired, {', '.join(left)}", 1)
    else:
        raise Failure(f"{amount(len(found), 'difference')}: --repair mends what can be", 1)


@admin.command()
@click.option(
    "--into", required=True, metavar="STORE", help="An empty one, as HOIST_STORE names it."
)
@click.option("--no-compare", is_flag=True, help="The store in use is lost: only rebuild.")
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON.")
def rebuild(into: str, no_compare: bool, as_json: bool) -> None:
    """Make the store anew from the log, and compare it with the one in use.

    Replays hoist.metadata from its beginning into an empty store. The one in use is not touched.
    Exit code 0 when both hold the same, 1 when not.

    \b
    hoist admin rebuild --into sqlite:///rebuilt.db
    """
    if not STORE.fullmatch(into):
        raise click.BadParameter(STORE_FORMS, param_hint="--into")
    services = wiring.services()
    try:
        told = services.rebuild(into)(is_compared=not no_compare)
    except InvalidRequest as error:
        raise Failure(f"{error}: {into.rpartition('@')[2]}", 1) from error
    except Unavailable as error:
        raise Failure(f"{error}; try again when it is back", 4) from error
    finally:
        services.close()
    rows = [(*one.key, what_differs(one)) for one in told.unlike]
    if as_json:
        found = [dict(zip(("userId", "rowId", "detail"), row, strict=True)) for row in rows]
        print_json({"events": told.events, "rows": told.rows, "differences": found})
    elif rows:
        print_rows(("USER", "ROW", "DETAIL"), rows)
    if told.unreadable:
        say(f"{told.unreadable} events cannot be read; they are among the dead letters.")
    say(f"{told.events} events made {told.rows} rows.")
    if rows:
        raise Failure(f"{len(rows)} rows differ from the store in use", 1)
    if not no_compare:
        say("The store in use holds the same.")
