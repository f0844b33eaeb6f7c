"""The mock issuer's levers: flawed tokens, key rotation, misbehaviour."""

import time

import jwt
import pytest

from emulation.oidc.app import create_app
from emulation.oidc.flaws import FLAWS, mint
from emulation.oidc.keys import KeyRing
from emulation.oidc.registry import AUDIENCE
from emulation.oidc.tokens import TokenFactory

ISSUER = "http://127.0.0.1:4503/"


@pytest.fixture(scope="module")
def keys():
    return KeyRing()


@pytest.fixture
def naps():
    return []


@pytest.fixture
def issuer(keys, naps):
    return create_app(ISSUER, keys=keys, sleep=naps.append).test_client()


def verify(token, keys):
    key = keys.find(jwt.get_unverified_header(token)["kid"])
    if key is None:
        raise jwt.InvalidTokenError("unknown key")
    return jwt.decode(
        token,
        key.private.public_key(),
        algorithms=["RS256"],
        audience=AUDIENCE,
        issuer=ISSUER,
        leeway=60,
        options={"require": ["exp", "sub"]},
    )


def kids(issuer):
    return [key["kid"] for key in issuer.get("/.well-known/jwks.json").json["keys"]]


def minted_kid(issuer):
    token = issuer.post("/_control/mint", json={"flaw": "good"}).json["token"]
    return jwt.get_unverified_header(token)["kid"]


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_careful_verifier_refuses_every_flaw_and_accepts_the_control(flaw, keys):
    token = mint(flaw, TokenFactory(ISSUER, keys, time.time))
    if flaw == "good":
        assert verify(token, keys)["sub"] == "auth0|ada"
    else:
        with pytest.raises(jwt.InvalidTokenError):
            verify(token, keys)


def test_minted_claims_can_be_set_and_removed(issuer, keys):
    wanted = {"user": "grace", "lifetime_seconds": 5, "claims": {"sub": "auth0|x", "email": None}}
    claims = verify(issuer.post("/_control/mint", json=wanted).json["token"], keys)

    assert (claims["sub"], claims["exp"] - claims["iat"]) == ("auth0|x", 5)
    assert "email" not in claims


@pytest.mark.parametrize(
    "wanted", [{"flaw": "nonsense"}, {"flaw": []}, {"user": "eve"}, {"lifetime_seconds": "1"}, []]
)
def test_a_minting_order_that_makes_no_sense_is_refused(issuer, wanted):
    assert issuer.post("/_control/mint", json=wanted).status_code == 400


def test_rotation_signs_with_the_new_key_and_keeps_the_old_one_published():
    issuer = create_app(ISSUER).test_client()
    first = minted_kid(issuer)
    second = issuer.post("/_control/rotate").json["kid"]

    assert minted_kid(issuer) == second
    assert kids(issuer) == [second, first]
    third = issuer.post("/_control/rotate").json["kid"]
    assert kids(issuer) == [third, second]
    fourth = issuer.post("/_control/rotate?drop=1").json["kid"]
    assert kids(issuer) == [fourth]


def test_the_keys_fail_dawdle_or_turn_to_garbage_on_demand(issuer, naps):
    def answer(**modes):
        assert issuer.post("/_control/behaviour", json=modes).status_code == 200
        return issuer.get("/.well-known/jwks.json")

    assert answer(jwks="error").status_code == 503
    assert answer(jwks="garbage").mimetype == "text/html"
    assert answer(jwks="slow", slow_seconds=3).status_code == 200
    assert naps == [3]
    assert answer().json["keys"]


def test_requests_are_counted_from_the_last_change_of_behaviour(issuer):
    issuer.post("/_control/behaviour", json={"jwks": "ok"})
    issuer.get("/.well-known/jwks.json")
    issuer.get("/.well-known/jwks.json")

    assert issuer.get("/_control/behaviour").json["requests"] == {"jwks": 2}


@pytest.mark.parametrize("modes", [{"jwks": "odd"}, {"login": "slow"}, {"slow_seconds": "1"}])
def test_an_unknown_misbehaviour_is_refused(issuer, modes):
    assert issuer.post("/_control/behaviour", json=modes).status_code == 400
