"""The made-up shop: customers who look at pages and now and then order something."""

import itertools
import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

PRODUCTS = (
    ("espresso-machine", 349.00),
    ("grinder", 129.50),
    ("kettle", 64.90),
    ("beans-1kg", 24.80),
    ("filter-papers", 5.20),
    ("milk-jug", 18.40),
    ("scale", 39.00),
    ("cup-set", 29.90),
)
CITIES = ("Lisbon", "Lyon", "Kraków", "Göteborg", "Graz", "Bilbao", "Tartu", "Cork")
REFERRERS = ("search", "newsletter", "direct", "social", "partner")
CUSTOMER_COUNT = 400


@dataclass(frozen=True, slots=True)
class Event:
    """A record to send: key and value as they go on the wire."""

    key: bytes
    value: bytes


class Shop:
    """Endless orders and page views, keyed by customer; the same seed tells the same story."""

    def __init__(self, seed: int = 20) -> None:
        self._random = random.Random(seed)

    def orders(self) -> Iterator[Event]:
        """JSON orders of one to four lines, with their total in cents."""
        for number in itertools.count(1):
            customer = self._customer()
            lines = [self._line() for _ in range(self._random.randint(1, 4))]
            total_cents = sum(round(price * 100) * quantity for _, quantity, price in lines)
            yield _event(
                customer,
                {
                    "order_id": f"o-{number:07d}",
                    "customer_id": customer,
                    "city": CITIES[int(customer[2:]) % len(CITIES)],
                    "lines": [
                        {"product": name, "quantity": quantity, "price": price} for name, quantity, price in lines
                    ],
                    "total_cents": total_cents,
                    "currency": "EUR",
                },
            )

    def pageviews(self) -> Iterator[Event]:
        """JSON page views with the time that the page took to load."""
        while True:
            customer = self._customer()
            product = self._random.choice(PRODUCTS)[0]
            yield _event(
                customer,
                {
                    "customer_id": customer,
                    "page": self._random.choice(("/", "/cart", f"/products/{product}", f"/products/{product}/reviews")),
                    "referrer": self._random.choice(REFERRERS),
                    "load_ms": round(self._random.lognormvariate(4.6, 0.5)),
                },
            )

    def _customer(self) -> str:
        # A few customers do most of the shopping, so that partitions differ a little, as they do in real life.
        return f"c-{int(self._random.paretovariate(0.7)) % CUSTOMER_COUNT:03d}"

    def _line(self) -> tuple[str, int, float]:
        name, price = self._random.choice(PRODUCTS)
        return name, self._random.randint(1, 3), price


def wave(base: float, *, at_s: float, period_s: float = 300.0, swing: float = 0.35) -> float:
    """A rate that breathes around base, with a second, faster ripple."""
    slow = math.sin(2 * math.pi * at_s / period_s)
    fast = math.sin(2 * math.pi * at_s / (period_s / 7))
    return base * (1 + swing * slow + swing / 4 * fast)


def _event(key: str, value: dict[str, object]) -> Event:
    return Event(key.encode(), json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
