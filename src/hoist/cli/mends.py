"""hoist admin forget-lists, rewind: what the doctor has nobody else for."""

from __future__ import annotations

import click

from hoist import wiring
from hoist.cli.output import say
from hoist.cli.problems import UNREACHABLE, Failure
from hoist.domain.errors import InvalidRequest, Unavailable
from hoist.domain.messages import groups
from hoist.pipeline.reconcile import UNKNOWN_SECONDS

unknown_after = click.option(
    "--unknown-after",
    "unknown_seconds",
    default=UNKNOWN_SECONDS,
    show_default=True,
    type=click.IntRange(0),
    metavar="SECONDS",
    help="How old a thing in storage must be that no row knows: its event may still wait.",
)
"""For whatever looks for it."""


@click.command("forget-lists")
@click.argument("users", nargs=-1, required=True, metavar="USER...")
def forget_lists(users: tuple[str, ...]) -> None:
    """Drop what the cache keeps of a user's lists: the next ones come from the store.

    It starts a new generation, as every change of a file does, so it is harmless at any time.
    """
    services = wiring.services()
    try:
        before = {user: services.cache.generation(user) for user in users}
        services.cache.invalidate(users)
        left = [user for user in users if services.cache.generation(user) in (None, before[user])]
    finally:
        services.close()
    if left:
        raise Failure("the cache does not answer; try again when it is back", UNREACHABLE)
    say("Their next lists come from the store.")


@click.command()
@click.argument("group", type=click.Choice(list(groups())), metavar="GROUP")
def rewind(group: str) -> None:
    """Bring what a consumer group has committed back into the log, where it is outside of it.

    In each such partition the group begins again with the first record that is there; what it
    handled before is handled once more, which is harmless. Its workers must be stopped: who reads
    for it would commit over this. Partitions whose offset is in the log are left alone.
    """
    services = wiring.services()
    prefix = services.settings.topic_prefix
    try:
        read = {group: [prefix + topic for topic in groups()[group]]}
        outside = [one for one in services.log_watch.places(read) if one.is_outside]
        if outside:
            services.log_watch.rewind(group, outside)
    except InvalidRequest as error:
        raise Failure(str(error)) from error
    except Unavailable as error:
        raise Failure(f"{error}; try again when it is back", UNREACHABLE) from error
    finally:
        services.close()
    for one in outside:
        say(f"{one.topic}:{one.partition} from {one.committed} to {one.begin}")
    say(f"{group}: {len(outside)} partitions set back.")
