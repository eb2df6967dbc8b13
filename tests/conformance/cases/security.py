"""Logging in by SASL, and ACLs that cannot be: asked of a broker with an authorizer, by its administrator."""

import re
import struct
from typing import Any

from broker.protocol.api_keys import ApiKey
from broker.protocol.codec import request_type
from tests.conformance.asking import CLOSED, Side, built
from tests.conformance.table import Table
from tests.integration.broker.wire_client import WireClient

TABLE = Table("security")
ALLOW, DENY = 3, 2
READ = 3
LITERAL, PREFIXED = 3, 4
TOPIC, GROUP, CLUSTER = 2, 3, 4
TURNS = "A request out of its turn in a login closes the connection; Kafka answers ILLEGAL_SASL_STATE before it does."
CODES = (
    "A code that means nothing in an ACL or a filter is an INVALID_REQUEST for that one; Kafka closes the connection, "
    "answers an unknown server error or finds nothing."
)
REFUSED_OTHERWISE = re.compile(r"(resource type|pattern|operation|permission) (0|any|match)$")


def prepare(at: Side) -> None:
    """Nothing is needed: what is asked for is not there."""


# -- login


def talked(at: Side, *steps: tuple[ApiKey, int, dict[str, Any]]) -> Any:
    """What a client that has not logged in is answered, step by step."""
    shown: list[Any] = []
    with WireClient(at.address) as wire:
        for api_key, version, fields in steps:
            try:
                shown.append(at.common(wire.ask(built(request_type(api_key), fields), version)))
            except (EOFError, OSError):
                shown.append(CLOSED)
                break
    return shown


def handshake(mechanism: str, version: int = 1) -> tuple[ApiKey, int, dict[str, Any]]:
    return (ApiKey.SASL_HANDSHAKE, version, {"mechanism": mechanism})


def authenticate(token: bytes, version: int = 2) -> tuple[ApiKey, int, dict[str, Any]]:
    return (ApiKey.SASL_AUTHENTICATE, version, {"auth_bytes": token})


VERSIONS = (ApiKey.API_VERSIONS, 0, {})
METADATA = (ApiKey.METADATA, 12, {"topics": []})
ADMIN = b"\0admin\0admin-secret"

LOGINS: dict[str, tuple[tuple[ApiKey, int, dict[str, Any]], ...]] = {
    "an unknown mechanism": (handshake("NOPE"), handshake("NOPE")),
    "an unknown mechanism in version 0": (handshake("NOPE", 0),),
    "no mechanism": (handshake(""),),
    "a mechanism in small letters": (handshake("plain"),),
    "anything else first": (METADATA,),
    "anything else after the handshake": (handshake("PLAIN"), METADATA),
    "a token without a handshake": (authenticate(ADMIN),),
    "a handshake twice": (handshake("PLAIN"), handshake("PLAIN")),
    "a wrong password": (handshake("PLAIN"), authenticate(b"\0admin\0nope")),
    "an unknown user": (handshake("PLAIN"), authenticate(b"\0nobody\0nope")),
    "no user": (handshake("PLAIN"), authenticate(b"\0\0nope")),
    "no password": (handshake("PLAIN"), authenticate(b"\0admin\0")),
    "an empty token": (handshake("PLAIN"), authenticate(b"")),
    "a token of one part": (handshake("PLAIN"), authenticate(b"admin")),
    "a token of four parts": (handshake("PLAIN"), authenticate(b"a\0b\0c\0d")),
    "an identity of somebody else": (handshake("PLAIN"), authenticate(b"alice\0admin\0admin-secret")),
    "an identity of itself": (handshake("PLAIN"), authenticate(b"admin\0admin\0admin-secret")),
    "a first message of SCRAM that is none": (handshake("SCRAM-SHA-256"), authenticate(b"nope")),
    "a first message of SCRAM without a nonce": (handshake("SCRAM-SHA-256"), authenticate(b"n,,n=bob")),
    "SCRAM with channel binding": (handshake("SCRAM-SHA-256"), authenticate(b"p=tls-unique,,n=bob,r=abc")),
}
OUT_OF_TURN = ("anything else after the handshake", "a handshake twice")
for _what, _steps in LOGINS.items():
    TABLE.case(f"login: {_what}", differs=TURNS if _what in OUT_OF_TURN else None)(
        lambda at, steps=_steps: talked(at, *steps)
    )  # type: ignore[misc]
for _version in range(3):
    TABLE.case(f"login: SaslAuthenticate v{_version}")(
        lambda at, version=_version: talked(at, handshake("PLAIN"), authenticate(ADMIN, version), METADATA)[:2]  # type: ignore[misc]
    )
TABLE.case("login: a handshake after it")(
    lambda at: talked(at, handshake("PLAIN"), authenticate(ADMIN), handshake("PLAIN"))
)
TABLE.case("login: a token after it")(
    lambda at: talked(at, handshake("PLAIN"), authenticate(ADMIN), authenticate(ADMIN))
)


@TABLE.case("login: a frame of a megabyte before it")
def _(at: Side) -> str:
    with WireClient(at.address) as wire:
        wire.socket.sendall(struct.pack(">ihhih", 1 << 20, 17, 1, 7, -1))
        return CLOSED if wire.is_closed_without_answer() else "answered"


# -- ACLs


def acl(**how: Any) -> dict[str, Any]:
    return {
        "resource_type": TOPIC,
        "resource_name": "wi-acl",
        "resource_pattern_type": LITERAL,
        "principal": "User:wi",
        "host": "*",
        "operation": READ,
        "permission_type": ALLOW,
        **how,
    }


BAD_ACLS: dict[str, dict[str, Any]] = {
    "resource type 0": {"resource_type": 0},
    "resource type any": {"resource_type": 1},
    "resource type 99": {"resource_type": 99},
    "no name": {"resource_name": ""},
    "a cluster of another name": {"resource_type": CLUSTER, "resource_name": "other"},
    "a cluster by prefix": {
        "resource_type": CLUSTER,
        "resource_name": "kafka-cluster",
        "resource_pattern_type": PREFIXED,
    },
    "a topic of a bad name": {"resource_name": "a b"},
    "pattern 0": {"resource_pattern_type": 0},
    "pattern any": {"resource_pattern_type": 1},
    "pattern match": {"resource_pattern_type": 2},
    "pattern 9": {"resource_pattern_type": 9},
    "operation 0": {"operation": 0},
    "operation any": {"operation": 1},
    "operation 99": {"operation": 99},
    "an operation that groups have not": {"resource_type": GROUP, "operation": 4},
    "permission 0": {"permission_type": 0},
    "permission any": {"permission_type": 1},
    "permission 9": {"permission_type": 9},
    "no principal": {"principal": ""},
    "a principal without a kind": {"principal": "wi"},
    "a principal without a name": {"principal": "User:"},
    "a principal of another kind": {"principal": "Group:wi"},
    "everybody": {"principal": "User:*"},
    "no host": {"host": ""},
    "a host by name": {"host": "localhost"},
}
for _what, _fields in BAD_ACLS.items():
    TABLE.case(f"CreateAcls: {_what}", differs=CODES if REFUSED_OTHERWISE.search(_what) else None)(
        lambda at, fields=_fields: [at.ask(ApiKey.CREATE_ACLS, each, creations=[acl(**fields)]) for each in (1, 3)]  # type: ignore[misc]
    )
TABLE.case("CreateAcls: one twice, one bad among good ones, none", differs=CODES)(
    lambda at: [
        at.ask(ApiKey.CREATE_ACLS, 3, creations=[acl(), acl()]),
        at.ask(ApiKey.CREATE_ACLS, 3, creations=[acl(), acl(operation=0), acl(permission_type=DENY)]),
        at.ask(ApiKey.CREATE_ACLS, 3, creations=[]),
    ]
)


def matching(**how: Any) -> dict[str, Any]:
    return {
        "resource_type_filter": TOPIC,
        "resource_name_filter": "wi-acl-none",
        "pattern_type_filter": LITERAL,
        "principal_filter": None,
        "host_filter": None,
        "operation": 1,
        "permission_type": 1,
        **how,
    }


BAD_FILTERS: dict[str, dict[str, Any]] = {
    "as it should be": {},
    "resource type 0": {"resource_type_filter": 0},
    "resource type 99": {"resource_type_filter": 99},
    "pattern 0": {"pattern_type_filter": 0},
    "pattern 9": {"pattern_type_filter": 9},
    "operation 0": {"operation": 0},
    "operation 99": {"operation": 99},
    "permission 0": {"permission_type": 0},
    "permission 9": {"permission_type": 9},
    "an empty name": {"resource_name_filter": ""},
    "an empty principal": {"principal_filter": ""},
    "a principal without a kind": {"principal_filter": "wi"},
}
for _what, _fields in BAD_FILTERS.items():
    _means_nothing = re.search(r" (0|9|99)$", _what)
    TABLE.case(f"DescribeAcls: {_what}", differs=CODES if _means_nothing else None)(
        lambda at, fields=_fields: [at.ask(ApiKey.DESCRIBE_ACLS, each, **matching(**fields)) for each in (1, 3)]  # type: ignore[misc]
    )
    TABLE.case(f"DeleteAcls: {_what}", differs=CODES if _what.endswith(" 0") else None)(
        lambda at, fields=_fields: [at.ask(ApiKey.DELETE_ACLS, each, filters=[matching(**fields)]) for each in (1, 3)]  # type: ignore[misc]
    )
TABLE.asks("DeleteAcls: no filters", ApiKey.DELETE_ACLS, [1, 3], filters=[])
TABLE.case("CreateDelegationToken of somebody who is known")(
    lambda at: at.ask(ApiKey.CREATE_DELEGATION_TOKEN, 3, renewers=[], max_lifetime_ms=-1)
)
TABLE.asks(
    "RenewDelegationToken of somebody who is known", ApiKey.RENEW_DELEGATION_TOKEN, 2, hmac=b"x", renew_period_ms=-1
)
TABLE.asks("DescribeDelegationToken of somebody who is known", ApiKey.DESCRIBE_DELEGATION_TOKEN, [1, 3], owners=None)
