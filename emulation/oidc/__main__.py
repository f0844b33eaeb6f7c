"""The command that starts the mock issuer: python -m emulation.oidc."""

from __future__ import annotations

import logging

import click

from emulation.oidc.app import create_app
from emulation.oidc.server import serve
from emulation.oidc.tokens import LIFETIME_SECONDS


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=4503, show_default=True, help="Port to listen on.")
@click.option("--issuer", help="Name in tokens and discovery  [default: http://127.0.0.1:PORT/]")
@click.option(
    "--lifetime-seconds",
    default=LIFETIME_SECONDS,
    show_default=True,
    help="How long access tokens are valid.",
)
def main(host: str, port: int, issuer: str | None, lifetime_seconds: int) -> None:
    """Run a mock OpenID Connect issuer that behaves like Auth0."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    issuer = issuer or f"http://127.0.0.1:{port}/"
    serve(create_app(issuer, lifetime_seconds=lifetime_seconds), host, port)


if __name__ == "__main__":
    main(prog_name="python -m emulation.oidc")
