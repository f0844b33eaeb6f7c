"""What every subcommand works with: the gateways, the issuer and the stored login."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from hoist.cli.credentials import CredentialsFile
from hoist.client import Client, Issuer, Session
from hoist.client.problems import Retry


@dataclass(frozen=True)
class Context:
    url: str
    issuer_url: str
    audience: str

    def issuer(self) -> Issuer:
        return Issuer(self.issuer_url, audience=self.audience)

    def credentials(self) -> CredentialsFile:
        return CredentialsFile(credentials_path(os.environ), self.issuer().url)

    def client(self) -> Client:
        """Raises ``click.BadParameter`` when no gateway is named."""
        urls = [url.strip() for url in self.url.split(",") if url.strip()]
        if not urls or not all(url.startswith(("http://", "https://")) for url in urls):
            raise click.BadParameter("give http:// or https:// addresses", param_hint="--url")
        session = Session(self.credentials(), self.issuer())
        return Client(urls, session, retry=Retry((0.2, 0.5, 1.0)))


def credentials_path(environ: Mapping[str, str]) -> Path:
    """Where the XDG base directory specification puts it."""
    config = environ.get("XDG_CONFIG_HOME", "")
    root = Path(config) if config.startswith("/") else Path.home() / ".config"
    return root / "hoist" / "credentials.json"


pass_context = click.make_pass_decorator(Context)
