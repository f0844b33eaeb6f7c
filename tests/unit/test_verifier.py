"""The verifier's keys and memory: outages, rotation and floods, by a clock that we hold."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from jwt.utils import base64url_encode

from hoist.adapters.jwt import JwtVerifier
from hoist.domain.errors import TokenExpired, Unauthorized, Unavailable
from tests.doubles import Clock
from tests.unit.world import World

ISSUER, AUDIENCE, ROLES = "https://issuer.test/", "https://api.test", "https://hoist.test/roles"
HOUR = 3600


class Issuer:
    """Answers with its keys, or fails, and counts how often it was asked."""

    def __init__(self, **keys):
        self.keys, self.asked, self.failure, self.answer = keys, 0, None, None

    def __call__(self, issuer):
        assert issuer == ISSUER
        self.asked += 1
        if self.failure:
            raise self.failure
        return self.answer or {"keys": [public(kid, key) for kid, key in self.keys.items()]}


def public(kid, key):
    return json.loads(RSAAlgorithm.to_jwk(key.public_key())) | {"kid": kid, "use": "sig"}


def signed(key, claims, kid="k1", **header):
    return jwt.encode(claims, key, "RS256", headers={"kid": kid, "typ": "at+jwt"} | header)


@pytest.fixture(scope="session")
def key():
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="session")
def other_key():
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def issuer(key):
    return Issuer(k1=key)


@pytest.fixture
def verifier(issuer, clock):
    return JwtVerifier(ISSUER, AUDIENCE, ROLES, clock, World().tiers.tier_of, issuer)


@pytest.fixture
def claims(clock):
    """Makes the claims of a good token; a value of None leaves a claim out."""

    def make(**changes):
        now = clock.now_ms // 1000
        good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "auth0|ada", "iat": now, "exp": now + HOUR}
        return {name: value for name, value in (good | changes).items() if value is not None}

    return make


def test_a_good_token_says_who_it_is_and_until_when(verifier, key, claims, clock):
    principal = verifier.verify(signed(key, claims(**{ROLES: ["premium"]})))

    assert (principal.user_id, principal.tier, principal.roles) == (
        "auth0|ada",
        "premium",
        ("premium",),
    )
    assert principal.expires_at == clock.now_ms // 1000 + HOUR


def test_keys_are_kept_through_an_outage_of_any_length(verifier, issuer, key, claims, clock):
    verifier.verify(signed(key, claims()))
    issuer.failure = OSError("connection refused")
    for _ in range(48):
        clock.advance(seconds=HOUR)
        assert verifier.verify(signed(key, claims())).user_id == "auth0|ada"
    verifier.ready()
    assert issuer.asked > 1


@pytest.mark.parametrize(
    "answer", [{"no": "keys"}, {"keys": []}, {"keys": "none"}, {"keys": [{"kty": "what"}]}]
)
def test_an_issuer_that_answers_with_nonsense_is_as_good_as_down(
    verifier, issuer, key, claims, clock, answer
):
    verifier.verify(signed(key, claims()))
    issuer.answer = answer
    clock.advance(seconds=2 * HOUR)
    verifier.verify(signed(key, claims()))
    assert issuer.asked == 2


def test_during_an_outage_the_issuer_is_asked_at_most_every_30_s(
    verifier, issuer, key, claims, clock
):
    verifier.verify(signed(key, claims()))
    issuer.failure = TimeoutError()
    clock.advance(seconds=2 * HOUR)
    for serial in range(60):  # 59 s: asked at 0 and at 30
        verifier.verify(signed(key, claims(jti=str(serial))))
        clock.advance(seconds=1)
    assert issuer.asked == 1 + 2


def test_a_flood_of_unknown_key_ids_is_one_fetch_per_30_s(
    verifier, issuer, key, other_key, claims, clock
):
    verifier.verify(signed(key, claims()))
    clock.advance(seconds=30)
    flood = [signed(other_key, claims(), kid=f"guess-{number}") for number in range(100)]
    for seconds_later, fetches in ((0, 1), (29, 1), (1, 2)):
        clock.advance(seconds=seconds_later)
        for token in flood:
            with pytest.raises(Unauthorized):
                verifier.verify(token)
        assert issuer.asked == 1 + fetches
    assert verifier.verify(signed(key, claims())).user_id == "auth0|ada"


def test_a_rotation_with_overlap_is_picked_up_and_both_keys_open(
    verifier, issuer, key, other_key, claims, clock
):
    verifier.verify(signed(key, claims()))
    issuer.keys["k2"] = other_key
    clock.advance(seconds=30)

    assert verifier.verify(signed(other_key, claims(), kid="k2")).user_id == "auth0|ada"
    assert verifier.verify(signed(key, claims(jti="old key"))).user_id == "auth0|ada"
    assert issuer.asked == 2


def test_a_withdrawn_key_opens_nothing_once_the_keys_are_an_hour_old(
    verifier, issuer, key, other_key, claims, clock
):
    verifier.verify(signed(key, claims()))
    issuer.keys = {"k2": other_key}
    clock.advance(seconds=HOUR + 1)

    with pytest.raises(Unauthorized):
        verifier.verify(signed(key, claims()))


def test_a_key_id_of_ours_does_not_open_with_another_key(verifier, other_key, claims):
    with pytest.raises(Unauthorized):
        verifier.verify(signed(other_key, claims(), kid="k1"))


def test_a_start_without_keys_is_unavailable_and_recovers_in_a_second(
    verifier, issuer, key, claims, clock
):
    issuer.failure = OSError("no route to host")
    token = signed(key, claims())
    for _ in range(20):
        with pytest.raises(Unavailable):
            verifier.verify(token)
        with pytest.raises(Unavailable):
            verifier.ready()
    assert issuer.asked == 1

    issuer.failure = None
    clock.advance(seconds=1)
    verifier.ready()
    assert verifier.verify(token).user_id == "auth0|ada"
    assert issuer.asked == 2


def test_who_comes_during_the_first_fetch_waits_for_it(verifier, issuer, key, claims, clock):
    begun, go_on = threading.Event(), threading.Event()
    answer = issuer.__call__

    def slow(url):
        begun.set()
        assert go_on.wait(10)
        return answer(url)

    verifier._fetch = slow
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(verifier.verify, signed(key, claims()))
        assert begun.wait(10)
        second = pool.submit(verifier.verify, signed(key, claims(sub="auth0|grace")))
        with pytest.raises(TimeoutError):
            second.result(0.2)
        go_on.set()
        assert first.result(10).user_id == "auth0|ada"
        assert second.result(10).user_id == "auth0|grace"
    assert issuer.asked == 1


def test_who_waited_for_a_fetch_that_failed_does_not_try_it_again(
    verifier, issuer, key, claims, clock
):
    token = signed(key, claims())

    def hangs(url):
        clock.advance(seconds=3)
        raise OSError("timed out")

    came = clock.now_ms / 1000 + 2  # while it hangs
    verifier._fetch = hangs
    with pytest.raises(Unavailable):
        verifier.verify(token)
    verifier._fetch = issuer
    verifier._refresh(came)
    assert issuer.asked == 0


def test_a_good_token_is_not_verified_again_before_it_expires(
    verifier, issuer, key, other_key, claims, clock
):
    token = signed(key, claims())
    first = verifier.verify(token)
    issuer.keys = {"k2": other_key}
    clock.advance(seconds=30)
    verifier.verify(signed(other_key, claims(), kid="k2"))  # k1 is no key of ours any more

    clock.advance(seconds=HOUR - 31)
    assert verifier.verify(token) is first
    clock.advance(seconds=1)
    with pytest.raises(Unauthorized):
        verifier.verify(token)


def test_a_token_ends_at_exp_and_says_that_it_has_expired(verifier, key, claims, clock):
    token = signed(key, claims())
    verifier.verify(token)
    clock.advance(seconds=HOUR - 1)
    verifier.verify(token)
    clock.advance(seconds=1)
    with pytest.raises(TokenExpired):
        verifier.verify(token)


@pytest.mark.parametrize(
    ("claim", "tier", "roles"),
    [
        (["premium"], "premium", ("premium",)),
        ("premium", "premium", ("premium",)),
        ("[premium]", "premium", ("premium",)),
        ("[basic premium]", "premium", ("basic", "premium")),
        ('["basic"]', "basic", ("basic",)),
        ([], "basic", ()),
        ({"premium": True}, "basic", ()),
        (True, "basic", ()),
        ([["premium"]], "basic", ()),
        (None, "basic", ()),
    ],
    ids=repr,
)
def test_roles_are_read_in_every_form_and_an_unknown_one_gives_least(
    verifier, key, claims, claim, tier, roles
):
    principal = verifier.verify(signed(key, claims(**{ROLES: claim})))
    assert (principal.tier, principal.roles) == (tier, roles)


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_a_token_of_the_future_is_refused_but_for_5_s_of_skew(verifier, key, claims, clock, name):
    now = clock.now_ms // 1000
    verifier.verify(signed(key, claims(**{name: now + 5})))
    with pytest.raises(Unauthorized):
        verifier.verify(signed(key, claims(**{name: now + 6})))


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", ["2000000000", 2e9, True, [2_000_000_000], float("inf")])
def test_a_time_is_a_whole_number_or_the_token_is_refused(verifier, key, claims, name, value):
    with pytest.raises(Unauthorized):
        verifier.verify(signed(key, claims() | {name: value}))


@pytest.mark.parametrize("name", ["exp", "iss", "aud", "sub"])
def test_what_a_token_must_say_may_not_be_missing(verifier, key, claims, name):
    with pytest.raises(Unauthorized):
        verifier.verify(signed(key, claims(**{name: None})))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": ISSUER.rstrip("/")},
        {"iss": "https://other.test/"},
        {"aud": "https://other.test"},
        {"aud": []},
        {"sub": ""},
        {"nonce": "n-1"},
    ],
    ids=repr,
)
def test_a_token_for_somebody_or_something_else_is_refused(verifier, key, claims, changes):
    with pytest.raises(Unauthorized):
        verifier.verify(signed(key, claims(**changes)))


def test_one_audience_of_several_is_enough(verifier, key, claims):
    verifier.verify(signed(key, claims(aud=["https://other.test", AUDIENCE])))


@pytest.mark.parametrize(
    "changes",
    [
        {"typ": "id+jwt"},
        {"typ": None},
        {"crit": ["b64"], "b64": True},
        {"kid": None},
        {"kid": 7},
        {"kid": ["k1"]},
        {"alg": "rs256"},
        {"alg": "RS512"},
    ],
    ids=repr,
)
def test_a_well_signed_token_with_an_unusual_header_is_refused(verifier, key, claims, changes):
    verifier.verify(with_header(key, claims()))
    with pytest.raises(Unauthorized):
        verifier.verify(with_header(key, claims(), **changes))


def with_header(key, claims, **changes):
    """A token with a header that jwt would not write, and with the right RS256 signature."""
    header = {"alg": "RS256", "typ": "at+jwt", "kid": "k1"} | changes
    said = {name: value for name, value in header.items() if value is not None}
    parts = [base64url_encode(json.dumps(part).encode()) for part in (said, claims)]
    signature = RSAAlgorithm(RSAAlgorithm.SHA256).sign(b".".join(parts), key)
    return b".".join([*parts, base64url_encode(signature)]).decode()


@pytest.mark.parametrize("token", ["", "x", "..", "a.b.c.d.e", "é.é.é", "\ud800.a.b", "a" * 8193])
def test_what_is_no_token_is_refused_without_asking_the_issuer(verifier, issuer, token):
    with pytest.raises(Unauthorized):
        verifier.verify(token)
    assert issuer.asked == 0


def test_the_longest_token_has_8192_bytes(verifier, key, claims):
    guess = (8192 - len(signed(key, claims(pad="x")))) * 3 // 4
    tokens = [signed(key, claims(pad="x" * (guess + more))) for more in range(-3, 6)]
    short = [token for token in tokens if len(token) <= 8192]
    assert 0 < len(short) < len(tokens)
    for token in tokens:
        if token in short:
            verifier.verify(token)
            continue
        with pytest.raises(Unauthorized):
            verifier.verify(token)
