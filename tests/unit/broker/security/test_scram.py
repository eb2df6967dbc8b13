"""SCRAM against the example of RFC 7677, and against what must not be believed."""

import base64
import hashlib
import hmac

import pytest

from broker.security.sasl import LoginRefused
from broker.security.scram import (
    ITERATIONS_DEFAULT,
    ScramExchange,
    ScramMechanism,
    credential_from_password,
    credential_from_salted_password,
)
from broker.security.scram_users import ScramUsers, parse_added_user

SHA256 = ScramMechanism.SCRAM_SHA_256
SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
SALTED = hashlib.pbkdf2_hmac("sha256", b"pencil", SALT, 4096)
CREDENTIAL = credential_from_salted_password(SHA256, salt=SALT, salted_password=SALTED, iterations=4096)
FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
NONCE = b"rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
FINAL = b"c=biws,r=" + NONCE + b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="


def exchange(known=True):
    return ScramExchange(
        SHA256,
        lambda user, _: CREDENTIAL if known and user == "user" else None,
        lambda: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
    )


def test_the_example_of_the_rfc():
    login = exchange()
    assert login.respond(FIRST) == b"r=" + NONCE + b",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    assert login.user is None
    assert login.respond(FINAL) == b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    assert login.user == "user"


@pytest.mark.parametrize(
    "first",
    [b"", b"n=user,r=abc", b"p=tls-unique,,n=user,r=abc", b"n,,n=,r=abc", b"n,,n=us=er,r=a", b"n,a=other,n=user,r=abc"],
)
def test_a_first_message_that_is_none_is_refused(first):
    with pytest.raises(LoginRefused):
        exchange().respond(first)


@pytest.mark.parametrize(
    "final",
    [
        b"",
        FINAL.replace(b"dHzb", b"AAAA"),
        FINAL.replace(b"biws", b"eSws"),
        FINAL.replace(b"r=rOpr", b"r=xOpr"),
        FINAL[:-8],
        b"c=biws,r=" + NONCE + b",p=",
    ],
)
def test_a_wrong_proof_is_refused(final):
    login = exchange()
    login.respond(FIRST)
    with pytest.raises(LoginRefused):
        login.respond(final)
    assert login.user is None


def test_an_unknown_user_gets_the_same_challenge_every_time_and_is_refused_last():
    challenges = {exchange(known=False).respond(FIRST) for _ in range(3)}
    assert len(challenges) == 1
    login = exchange(known=False)
    login.respond(FIRST)
    with pytest.raises(LoginRefused):
        login.respond(FINAL)


def test_nobody_gets_in_with_the_keys_of_a_pretended_user():
    login = exchange(known=False)
    challenge = login.respond(FIRST)
    credential = login._credential
    without_proof = b"c=biws,r=" + NONCE
    messages = FIRST[3:] + b"," + challenge + b"," + without_proof
    signature = hmac.digest(credential.stored_key, messages, "sha256")
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(credential.stored_key, signature, strict=True)))
    with pytest.raises(LoginRefused):
        login.respond(without_proof + b",p=" + proof)


def test_names_may_have_commas_and_equals_signs():
    asked = []
    login = ScramExchange(SHA256, lambda user, _: asked.append(user))
    login.respond(b"n,,n=a=2Cb=3Dc,r=abc")
    assert asked == ["a,b=c"]


def test_users_survive_a_restart_and_nobody_else_may_read_the_file(tmp_path):
    users = ScramUsers(tmp_path)
    users.change(set_=[("alice", SHA256, CREDENTIAL)])
    again = ScramUsers(tmp_path)
    again.open()
    assert again.find("alice", SHA256) == CREDENTIAL
    assert (tmp_path / "scram_users.json").stat().st_mode & 0o077 == 0
    again.change(remove=[("alice", SHA256)])
    assert list(again) == []


def test_a_user_is_added_as_kafka_writes_it():
    name, mechanism, credential = parse_added_user("SCRAM-SHA-512=[name=alice,password=secret,iterations=4096]")
    assert (name, mechanism, credential.iterations) == ("alice", ScramMechanism.SCRAM_SHA_512, 4096)
    assert credential_from_password(SHA256, "x").iterations == ITERATIONS_DEFAULT


@pytest.mark.parametrize(
    "text",
    [
        "alice",
        "SCRAM-SHA-1=[name=a,password=b]",
        "SCRAM-SHA-256=[name=a]",
        "SCRAM-SHA-256=[name=a,password=b,iterations=1]",
    ],
)
def test_a_user_that_cannot_be_added_is_refused(text):
    with pytest.raises(ValueError, match=r"expected|needs"):
        parse_added_user(text)
