"""Tokens: which are believed, and how a login with one goes."""

import asyncio
import base64
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from broker.clock import Clock
from broker.config import ConfigError, broker_config
from broker.security import json_web_keys
from broker.security.json_web_keys import JsonWebKeys, fetch, read_keys
from broker.security.listener_security import check_reachable, listener_security
from broker.security.oauthbearer import OAuthBearerExchange, parse_first_message
from broker.security.sasl import LoginRefused, LoginWaits
from broker.security.token_claims import ClaimRules, TokenRefused
from broker.security.tokens import TOKEN_BYTES_MAX, SignedTokens, UnsecuredTokens
from tests.integration.broker.token_issuer import TokenIssuer, raw_token

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


def now() -> int:
    return int(time.time())


RULES = ClaimRules(audiences=("kafka", "other"), issuer="issuer")


@pytest.fixture(scope="module")
def issuer():
    return TokenIssuer()


@pytest.fixture(scope="module")
def tokens(issuer):
    keys = JsonWebKeys("file:///unused")
    keys.replace(read_keys(issuer.jwks("RS256", "ES256", "ES384", "ES512", "EdDSA").encode()))
    return SignedTokens(keys, RULES)


def check(tokens, token):
    return tokens.check(token, int(time.time() * 1000))


def first_message(token: str, *, authorization_id: str = "", extensions: str = "") -> bytes:
    who = f"a={authorization_id}" if authorization_id else ""
    return f"n,{who},\x01auth=Bearer {token}\x01{extensions}\x01".encode()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_signed_in_any_of_the_usual_ways_is_believed(issuer, tokens, algorithm):
    valid = check(tokens, issuer.token("alice", algorithm, scope="read write"))
    assert (valid.principal_name, valid.scopes) == ("alice", {"read", "write"})
    assert abs(valid.expires_ms - (time.time() + 600) * 1000) < 5000


def test_a_token_without_a_key_id_is_tried_with_the_keys_that_fit(issuer, tokens):
    token = jwt.encode(
        {"sub": "a", "iat": now(), "exp": now() + 99, "iss": "issuer", "aud": "kafka"}, issuer.key("ES256"), "ES256"
    )
    assert check(tokens, token).principal_name == "a"


def public_pem(issuer) -> bytes:
    form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return issuer.key("RS256").public_key().public_bytes(*form)


def signed_with_the_public_key_as_secret(issuer) -> str:
    import hashlib
    import hmac

    unsigned = raw_token({"alg": "HS256", "kid": issuer.key_id("RS256")}, good_claims()).rstrip(".")
    mac = hmac.new(public_pem(issuer), unsigned.encode(), hashlib.sha256).digest()
    return unsigned + "." + base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def good_claims(**more: object) -> dict[str, object]:
    return {"sub": "alice", "iat": now(), "exp": now() + 600, "iss": "issuer", "aud": "kafka", **more}


HOSTILE = {
    "empty": lambda issuer: "",
    "one part": lambda issuer: "x",
    "two parts": lambda issuer: "a.b",
    "many parts": lambda issuer: issuer.token() + ".x" * 1000,
    "huge": lambda issuer: "a" * (TOKEN_BYTES_MAX + 1),
    "huge claims": lambda issuer: issuer.token(more="x" * TOKEN_BYTES_MAX),
    "bad base64": lambda issuer: "%%%." + issuer.token().split(".", 1)[1],
    "padded base64": lambda issuer: issuer.token() + "=",
    "not JSON": lambda issuer: raw_token(b"\xff\xfe", b"{"),
    "deep JSON": lambda issuer: raw_token(b"[" * 40_000, b"{}"),
    "header is a list": lambda issuer: raw_token([], {}),
    "alg none": lambda issuer: raw_token({"alg": "none"}, good_claims()),
    "alg none and a signature": lambda issuer: raw_token({"alg": "none"}, good_claims(), b"x"),
    "alg missing": lambda issuer: raw_token({}, good_claims(), b"x"),
    "alg a list": lambda issuer: raw_token({"alg": ["ES256"]}, good_claims(), b"x"),
    "shared secret that is the public key": signed_with_the_public_key_as_secret,
    "algorithm of another key": lambda issuer: raw_token(
        {"alg": "RS256", "kid": issuer.key_id("ES256")}, good_claims(), b"x" * 256
    ),
    "wrong signature": lambda issuer: issuer.token()[:-8] + "AAAAAAAA",
    "claims of another token": lambda issuer: ".".join(
        [issuer.token().split(".")[0], issuer.token("root").split(".")[1], issuer.token().split(".")[2]]
    ),
    "critical header": lambda issuer: issuer.token(headers={"crit": ["exp"]}),
    "key in its own header": lambda issuer: TokenIssuer().token(headers={"jwk": json.loads(issuer.jwks("ES256"))}),
    "expired": lambda issuer: issuer.token(iat=now() - 900, exp=now() - 60),
    "never expires": lambda issuer: issuer.token(exp=None),
    "expires at infinity": lambda issuer: raw_token({"alg": "none"}, b'{"exp": Infinity}'),
    "expiry is text": lambda issuer: _unchecked(issuer, exp="tomorrow"),
    "not yet valid": lambda issuer: issuer.token(nbf=now() + 300),
    "without issue time": lambda issuer: issuer.token(iat=None),
    "issued in the future": lambda issuer: issuer.token(iat=now() + 300),
    "wrong audience": lambda issuer: issuer.token(aud="somebody"),
    "no audience": lambda issuer: issuer.token(aud=None),
    "wrong issuer": lambda issuer: issuer.token(iss="mallory"),
    "no principal": lambda issuer: _unchecked(issuer, sub=None),
    "blank principal": lambda issuer: issuer.token(" "),
    "principal is a number": lambda issuer: _unchecked(issuer, sub=1),
    "scope is a number": lambda issuer: issuer.token(scope=1),
}


def _unchecked(issuer: TokenIssuer, **claims: object) -> str:
    """Signed as it is, without the library's own look at the claims."""
    text = json.dumps(good_claims(**claims)).encode()
    return jwt.PyJWS().encode(text, issuer.key("ES256"), "ES256", headers={"kid": issuer.key_id("ES256")})


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_token_is_refused(issuer, tokens, name):
    with pytest.raises(TokenRefused):
        check(tokens, HOSTILE[name](issuer))


def test_clocks_may_differ_by_the_skew(issuer, tokens):
    assert check(tokens, issuer.token(iat=now() - 100, exp=int(time.time()) - 10)).principal_name == "alice"


def test_principal_and_scope_come_from_the_claims_that_are_set(issuer, tokens):
    rules = ClaimRules(principal_claim="email", scope_claim="scp")
    valid = check(SignedTokens(tokens.keys, rules), issuer.token(email="a@b.c", scp=["x", "y"], aud=None))
    assert (valid.principal_name, valid.scopes) == ("a@b.c", {"x", "y"})


def test_unsecured_tokens_are_believed_only_where_they_are_expected(issuer):
    unsecured = UnsecuredTokens(ClaimRules(needs_issue_time=False, clock_skew_ms=0))
    assert check(unsecured, raw_token({"alg": "none"}, {"sub": "dev", "exp": now() + 60})).principal_name == "dev"
    for token in (issuer.token(), raw_token({"alg": "none"}, {"sub": "dev", "exp": now() - 1})):
        with pytest.raises(TokenRefused):
            check(unsecured, token)


def test_a_scope_that_is_missing_is_named(issuer):
    unsecured = UnsecuredTokens(ClaimRules(needs_issue_time=False, scopes=frozenset({"kafka"})))
    exchange = OAuthBearerExchange(unsecured, Clock())
    answer = exchange.respond(first_message(raw_token({"alg": "none"}, {"sub": "dev", "exp": now() + 60})))
    assert json.loads(answer) == {"status": "insufficient_scope", "scope": "kafka"}


# The exchange.


def test_a_good_token_logs_in_for_as_long_as_it_lasts(issuer, tokens):
    exchange = OAuthBearerExchange(tokens, Clock())
    message = first_message(
        issuer.token(exp=now() + 300), authorization_id="alice", extensions="logicalCluster=lkc-1\x01"
    )
    assert exchange.respond(message) == b""
    assert (exchange.user, exchange.expires_ms) == ("alice", (now() + 300) * 1000)
    assert exchange.extensions == {"logicalCluster": "lkc-1"}


def test_a_refused_token_is_answered_with_why_and_then_fails(tokens):
    exchange = OAuthBearerExchange(tokens, Clock())
    assert json.loads(exchange.respond(first_message("a.b.c"))) == {"status": "invalid_token"}
    with pytest.raises(LoginRefused, match=r'{"status":"invalid_token"}'):
        exchange.respond(b"\x01")
    assert exchange.user is None


def test_a_second_token_after_a_refused_one_does_not_help(issuer, tokens):
    exchange = OAuthBearerExchange(tokens, Clock())
    exchange.respond(first_message("a.b.c"))
    with pytest.raises(LoginRefused):
        exchange.respond(first_message(issuer.token()))
    assert exchange.user is None


def test_nobody_logs_in_as_somebody_else(issuer, tokens):
    with pytest.raises(LoginRefused, match="different from the token's principal"):
        OAuthBearerExchange(tokens, Clock()).respond(first_message(issuer.token(), authorization_id="root"))


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x01",
        b"\xff",
        b"n,,",
        b"n,,\x01\x01",
        b"n,,\x01auth=Bearer x",
        b"n,,\x01auth=Bearer x\x01",
        b"y,,\x01auth=Bearer x\x01\x01",
        b"n,,\x01auth=Basic x\x01\x01",
        b"n,,\x01auth=Bearer\x01\x01",
        b"n,,\x01auth=Bearer x y\x01\x01",
        b"n,,\x01other=Bearer x\x01\x01",
        b"n,,\x01auth=Bearer x\x01k1=v\x01\x01",
        b"n,a=b=c,\x01auth=Bearer x\x01\x01",
    ],
)
def test_a_first_message_without_the_form_is_refused(message):
    with pytest.raises(LoginRefused, match="invalid credentials with SASL mechanism OAUTHBEARER"):
        parse_first_message(message)


# Keys.


def test_keys_that_cannot_verify_are_left_out(issuer):
    listed = json.loads(issuer.jwks("ES256", "RS256"))["keys"]
    usable = {**listed[0], "kid": "usable"}
    useless = [
        {**listed[0], "use": "enc"},
        {**listed[0], "x": "!"},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "RSA"},
        {**listed[1], "alg": []},
        {**listed[1], "crv": [], "kty": "EC"},
        {},
        7,
    ]
    keys = read_keys(json.dumps({"keys": [*useless, usable]}).encode())
    assert [key.key_id for key in keys if key.algorithms] == ["usable"]


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"keys": 1}', b'{"keys": []}', b"[" * 100_000, b"\xff"])
def test_what_is_no_key_set_is_refused(text):
    with pytest.raises(ValueError):
        read_keys(text)


def test_a_key_file_has_a_limit(tmp_path):
    (tmp_path / "keys").write_bytes(b" " * (json_web_keys.FETCH_BYTES_MAX + 1))
    with pytest.raises(ValueError, match="more than"):
        fetch(f"file://{tmp_path}/keys")


async def test_an_unknown_key_makes_us_look_again_once_in_a_while(issuer, tmp_path):
    path = tmp_path / "keys.json"
    path.write_text(issuer.jwks("ES256"))
    newer = TokenIssuer()
    newer.generation = 7
    keys = JsonWebKeys(f"file://{path}")
    fetching = asyncio.create_task(keys.run())
    fetched = asyncio.Event()
    try:
        keys.when_fetched(fetched.set)
        await fetched.wait()
        tokens = SignedTokens(keys, RULES)
        assert check(tokens, issuer.token()).principal_name == "alice"
        path.write_text(newer.jwks("ES256"))
        waits = OAuthBearerExchange(tokens, Clock())
        with pytest.raises(LoginWaits) as waiting:
            waits.respond(first_message(newer.token()))
        fetched.clear()
        waiting.value.when_ready(fetched.set)
        await fetched.wait()
        assert waits.respond(first_message(newer.token())) == b""
        newest = OAuthBearerExchange(tokens, Clock())
        made_up = newer.token(headers={"kid": "made up"})
        assert json.loads(newest.respond(first_message(made_up))) == {"status": "invalid_token"}
    finally:
        fetching.cancel()
        await asyncio.gather(fetching, return_exceptions=True)


async def test_keys_that_cannot_be_fetched_are_tried_again_and_said_once(issuer, tmp_path, caplog):
    path = tmp_path / "keys.json"
    keys = JsonWebKeys(f"file://{path}", backoff_ms=1, backoff_ms_max=2)
    fetching = asyncio.create_task(keys.run())
    try:
        for _ in range(3):
            failed = asyncio.Event()
            keys.when_fetched(failed.set)
            await failed.wait()
        assert len([record for record in caplog.records if "not fetched" in record.message]) == 1
        path.write_text(issuer.jwks("ES256"))
        while not keys.find(None, "ES256"):
            await asyncio.sleep(0.001)
        assert keys.find(issuer.key_id("ES256"), "ES256")
    finally:
        fetching.cancel()
        await asyncio.gather(fetching, return_exceptions=True)


# Settings.

URL = "listener.name.sasl_plaintext.oauthbearer.sasl.oauthbearer.jwks.endpoint.url"
HANDLER = "listener.name.sasl_plaintext.oauthbearer.sasl.server.callback.handler.class"
UNSECURED = (
    "org.apache.kafka.common.security.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"
)


def secured(listener: str = "SASL_PLAINTEXT://127.0.0.1:1", **given: str):
    config = broker_config({"listeners": listener, "sasl.enabled.mechanisms": "OAUTHBEARER", **given})
    return config, config.listeners[0]


def test_settings_by_their_names():
    settings = {
        URL: "https://idp.example.org/keys",
        "sasl.oauthbearer.expected.audience": "kafka, other",
        "listener.name.sasl_plaintext.sasl.oauthbearer.expected.issuer": "issuer",
        "sasl.oauthbearer.sub.claim.name": "email",
        "sasl.oauthbearer.clock.skew.seconds": "5",
    }
    found = listener_security(*secured(**settings)).tokens
    assert isinstance(found, SignedTokens)
    assert found.keys.url == "https://idp.example.org/keys"
    assert found.rules == ClaimRules("email", "scope", ("kafka", "other"), "issuer", 5000)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "has no keys to verify tokens with"),
        ({URL: "ftp://x"}, "expected file"),
        ({URL: "https://x", HANDLER: UNSECURED}, "either signed or not"),
        ({URL: "https://x", "sasl.oauthbearer.jwks.endpoint.refresh.ms": "0"}, "at least 1"),
    ],
)
def test_settings_that_would_let_anybody_in_are_refused(given, words):
    with pytest.raises(ConfigError, match=words):
        listener_security(*secured(**given))


def test_unsecured_tokens_are_for_this_machine_only():
    check_reachable(*secured(**{HANDLER: UNSECURED}))
    with pytest.raises(ConfigError, match="unsecured token"):
        check_reachable(*secured("SASL_PLAINTEXT://:1", **{HANDLER: UNSECURED}))
