"""Logging in against the real mock issuer, with a password and through a browser."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from click.testing import CliRunner
from werkzeug.serving import make_server

from emulation.oidc.app import create_app
from hoist.cli import main
from hoist.cli.credentials import CredentialsFile
from hoist.cli.loopback import browser_login
from hoist.client import HoistProblem, Issuer, Session

AUDIENCE = "https://api.hoist.local"


@pytest.fixture(scope="module")
def issuer_url():
    waiting = make_server("127.0.0.1", 0, lambda *request: [], threaded=True)
    url = f"http://127.0.0.1:{waiting.server_port}/"
    waiting.app = create_app(url, lifetime_seconds=3600)
    thread = threading.Thread(target=waiting.serve_forever, args=(0.01,))
    thread.start()
    yield url
    waiting.shutdown()
    thread.join()
    waiting.server_close()


@pytest.fixture
def config(tmp_path, monkeypatch, issuer_url):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return CredentialsFile(tmp_path / "hoist/credentials.json", issuer_url)


@pytest.fixture
def hoist(issuer_url, config):
    return lambda *words: CliRunner().invoke(main, ["--issuer", issuer_url, *words])


def log_in_as(url, user):
    """What a person does in the browser; returns the page they end on."""
    with httpx.Client(follow_redirects=True) as browser:
        page = browser.get(url)
        found = re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page.text)
        form = {**dict(found), "username": user, "password": user}
        return browser.post(str(page.url), data=form)


def test_a_password_logs_in_and_logout_ends_it(hoist, config, issuer_url):
    assert hoist("login", "--user", "ada", "--password", "ada").exit_code == 0
    kept = config.load()
    assert hoist("logout").stderr == "Logged out.\n"
    assert config.load() is None
    with pytest.raises(HoistProblem) as caught:
        Issuer(issuer_url, audience=AUDIENCE).refresh(kept.refresh_token)
    assert caught.value.code == "invalid_grant"
    assert hoist("logout").stderr == "You were not logged in.\n"


def test_a_wrong_password_is_told_and_nothing_kept(hoist, config):
    result = hoist("login", "--user", "ada", "--password", "wrong")
    assert "wrong user name or password" in result.stderr
    assert result.exit_code == 1
    assert config.load() is None


def test_an_expired_token_is_refreshed_and_the_new_one_kept(config, issuer_url):
    issuer = Issuer(issuer_url, audience=AUDIENCE)
    config.save(issuer.password("ada", "ada"))
    first = config.load()
    later = Session(config, issuer, clock=lambda: first.expires_at)
    token = later.access_token()
    assert config.load().access_token == token != first.access_token
    assert config.load().refresh_token != first.refresh_token


def test_a_browser_login_ends_with_tokens(issuer_url):
    issuer = Issuer(issuer_url, audience=AUDIENCE)
    with ThreadPoolExecutor(1) as person:
        pages = []
        tokens = browser_login(
            issuer, lambda url: pages.append(person.submit(log_in_as, url, "ada")), wait_seconds=20
        )
        assert "You are logged in." in pages[0].result().text
    assert issuer.refresh(tokens.refresh_token).access_token


def test_an_answer_with_another_state_is_not_ours(issuer_url):
    issuer = Issuer(issuer_url, audience=AUDIENCE)
    seen = []

    def attack(url):
        callback = httpx.URL(httpx.URL(url).params["redirect_uri"])
        seen.append(httpx.get(callback, params={"code": "x", "state": "forged"}).status_code)
        refusal = {"error": "access_denied", "error_description": "no", "state": ""}
        refusal["state"] = httpx.URL(url).params["state"]
        seen.append(httpx.get(callback, params=refusal).status_code)

    with ThreadPoolExecutor(1) as person, pytest.raises(HoistProblem, match="no") as caught:
        browser_login(issuer, lambda url: person.submit(attack, url) and None, wait_seconds=20)
    assert caught.value.code == "access_denied"
    assert seen == [400, 200]


def test_without_an_issuer_the_exit_code_is_4(config):
    result = CliRunner().invoke(
        main, ["--issuer", "http://127.0.0.1:9/", "login", "--user", "ada", "--password", "ada"]
    )
    assert result.exit_code == 4
    assert "`make up`" in result.stderr
