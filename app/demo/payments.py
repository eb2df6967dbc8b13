"""Payments of the made-up shop, in Avro: their schema in a registry, in two versions, and records by the newer one."""

import asyncio
import io
import itertools
import json
import random
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.error import URLError
from urllib.request import Request, urlopen

from fastavro import parse_schema, schemaless_writer

from app.demo.shop import Event

TOPIC: Final = "payments"
SUBJECT: Final = "payments-value"
TIMEOUT_S: Final = 5.0
_METHODS = ("CARD", "TRANSFER", "WALLET")

_FIRST_FIELDS: Final[list[dict[str, Any]]] = [
    {"name": "payment_id", "type": "string"},
    {"name": "order_id", "type": "string"},
    {"name": "amount_cents", "type": "long"},
    {"name": "paid_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
]
_METHOD: Final = {"type": "enum", "name": "Method", "symbols": list(_METHODS)}
VERSIONS: Final = tuple(
    {"type": "record", "name": "Payment", "namespace": "shop", "doc": "Money that came in.", "fields": fields}
    for fields in (
        _FIRST_FIELDS,
        [
            *_FIRST_FIELDS,
            {"name": "method", "type": _METHOD, "default": "CARD"},
            {"name": "note", "type": ["null", "string"], "default": None},
        ],
    )
)
"""The schema as it grew: what the second adds has defaults, so it reads what was written by the first."""


class NoRegistry(Exception):
    """No Schema Registry took the schema; the message says why."""


async def register(registry_url: str) -> int:
    """Register the schema's versions; the id of the newest. Raises NoRegistry."""
    return await asyncio.to_thread(_register, registry_url)


def _register(registry_url: str) -> int:
    schema_id = 0
    for schema in VERSIONS:
        request = Request(
            f"{registry_url.rstrip('/')}/subjects/{SUBJECT}/versions",
            data=json.dumps({"schema": json.dumps(schema)}).encode(),
            headers={"Content-Type": "application/vnd.schemaregistry.v1+json"},
        )
        try:
            with urlopen(request, timeout=TIMEOUT_S) as answer:
                schema_id = int(json.load(answer)["id"])
        except (URLError, OSError, ValueError, KeyError, TypeError) as error:
            raise NoRegistry(str(error)) from error
    return schema_id


def payments(schema_id: int, seed: int = 20) -> Iterator[Event]:
    """Endless payments: byte 0, the schema's id, the record in Avro's binary encoding."""
    chance = random.Random(seed)
    schema = parse_schema(dict(VERSIONS[-1]))
    prefix = b"\0" + schema_id.to_bytes(4, "big")
    for number in itertools.count(1):
        order_id = f"o-{number:07d}"
        payload = io.BytesIO()
        schemaless_writer(
            payload,
            schema,
            {
                "payment_id": f"p-{number:07d}",
                "order_id": order_id,
                "amount_cents": round(chance.lognormvariate(8.5, 0.8)),
                "paid_at": time.time_ns() // 1_000_000,
                "method": chance.choices(_METHODS, (7, 1, 2))[0],
                "note": "gift" if chance.random() < 0.05 else None,
            },
        )
        yield Event(order_id.encode(), prefix + payload.getvalue())
