"""hoist login, logout, whoami."""

from __future__ import annotations

import webbrowser
from collections.abc import Iterator

import click

from hoist.cli.context import Context, pass_context
from hoist.cli.loopback import browser_login
from hoist.cli.output import print_facts, print_json, say, size_words
from hoist.client import HoistProblem, Me


@click.command()
@click.option("--user", help="Log in directly, without a browser.")
@click.option("--password", help="With --user; asked for when missing.")
@click.option("--no-browser", is_flag=True, help="Print the login address instead of opening it.")
@pass_context
def login(context: Context, user: str | None, password: str | None, no_browser: bool) -> None:
    """Log in; the login lasts until `hoist logout`.

    Example: hoist login --user ada --password ada
    """
    if password and not user:
        raise click.UsageError("--password needs --user")
    issuer = context.issuer()
    if user:
        password = password or click.prompt("Password", hide_input=True, err=True)
        tokens = issuer.password(user, password)
    else:
        tokens = browser_login(issuer, _show if no_browser else _open)
    context.credentials().save(tokens)
    say("Logged in.")


@click.command()
@pass_context
def logout(context: Context) -> None:
    """Forget the login, here and at the issuer."""
    credentials = context.credentials()
    with credentials.lock():
        tokens = credentials.load()
        credentials.save(None)
    if tokens is None:
        say("You were not logged in.")
        return
    if tokens.refresh_token:
        try:
            context.issuer().revoke(tokens.refresh_token)
        except HoistProblem as problem:
            say(f"Forgotten here, but the issuer was not told: {problem.detail}")
            return
    say("Logged out.")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@pass_context
def whoami(context: Context, as_json: bool) -> None:
    """Show who you are and what your tier allows."""
    with context.client() as client:
        me = client.me()
    if as_json:
        print_json(me)
        return
    facts: list[tuple[str, object]] = [
        ("user", me["userId"]),
        ("tier", me["tier"]),
        ("roles", ", ".join(me["roles"]) or "none"),
        ("largest file", size_words(me["limits"]["fileSizeMax"])),
    ]
    print_facts([*facts, *_use(me), ("token until", me["tokenExpiresAt"])])


def _use(me: Me) -> Iterator[tuple[str, object]]:
    """The other limits, with what is in use of them."""
    limits, use = me["limits"], me.get("use")
    if use and "storageQuota" in limits:
        quota = size_words(limits["storageQuota"])
        yield "storage", f"{size_words(use['storedBytes'])} of {quota}"
        yield "reserved", f"{size_words(use['reservedBytes'])} for unfinished uploads"
    if use and "concurrentUploads" in limits:
        yield "uploads", f"{use['concurrentUploads']} of {limits['concurrentUploads']} at once"
    if "requestsPerMinute" in limits:
        yield "requests", f"{limits['requestsPerMinute']} a minute"


def _open(url: str) -> None:
    if webbrowser.open(url):
        say("Your browser opened the login page.")
    else:
        _show(url)


def _show(url: str) -> None:
    say(f"Open this page to log in:\n{url}")
