"""What every subcommand works with: the gateways, the issuer and the stored login."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from hoist.cli.credentials import CredentialsFile
from hoist.cli.journal import Journal
from hoist.cli.problems import TellWait
from hoist.client import Client, Issuer, Retry, Session
from hoist.client.views import OnEvent


@dataclass(frozen=True)
class Context:
    url: str
    issuer_url: str
    audience: str

    def issuer(self) -> Issuer:
        return Issuer(self.issuer_url, audience=self.audience)

    def credentials(self) -> CredentialsFile:
        return CredentialsFile(credentials_path(os.environ), self.issuer().url)

    def journal(self) -> Journal:
        return Journal(journal_path(os.environ), self.issuer().url, self.url)

    def client(self, on_event: OnEvent = lambda name, payload, at: None) -> Client:
        """Raises ``click.BadParameter`` when no gateway is named."""
        urls = [url.strip() for url in self.url.split(",") if url.strip()]
        if not urls or not all(url.startswith(("http://", "https://")) for url in urls):
            raise click.BadParameter("give http:// or https:// addresses", param_hint="--url")
        session = Session(self.credentials(), self.issuer())
        retry = Retry((0.2, 0.5, 1.0), told=TellWait())
        return Client(urls, session, on_event=on_event, retry=retry)


def credentials_path(environ: Mapping[str, str]) -> Path:
    """Where the XDG base directory specification puts it."""
    return _home(environ, "XDG_CONFIG_HOME", ".config") / "credentials.json"


def journal_path(environ: Mapping[str, str]) -> Path:
    """Where unfinished uploads are remembered."""
    return _home(environ, "XDG_STATE_HOME", ".local/state") / "uploads.json"


def _home(environ: Mapping[str, str], setting: str, default: str) -> Path:
    named = environ.get(setting, "")
    root = Path(named) if named.startswith("/") else Path.home() / default
    return root / "hoist"


pass_context = click.make_pass_decorator(Context)
