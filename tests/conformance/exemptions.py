"""Where the answers may differ, each with its sentence of docs/differences.md."""

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Exemption:
    """At `key` of a step's result ours is `ours` and Kafka's is `kafkas`; nothing else is exempt."""

    step: str
    key: str
    ours: str
    kafkas: str
    sentence: str


EXEMPTIONS: Final = (
    Exemption(
        "describe_config",
        "min.insync.replicas",
        "DEFAULT_CONFIG",
        "DYNAMIC_DEFAULT_BROKER_CONFIG",
        "min.insync.replicas has its static default, because there are no eligible leader replicas (KIP-966)",
    ),
)


OURS_ALONE: Final = (
    "confluent.key.schema.validation",
    "confluent.key.subject.name.strategy",
    "confluent.value.schema.validation",
    "confluent.value.subject.name.strategy",
)
"""Topic configs of Confluent Server, which Apache Kafka does not have."""


def without_exempted(step: str, ours: Any, kafkas: Any) -> tuple[Any, Any]:
    """Both results, the exempted places of which are taken out where they differ in just the way that is known."""
    if step == "describe_config" and isinstance(ours, dict):
        ours = {name: value for name, value in ours.items() if name not in OURS_ALONE}
    for known in EXEMPTIONS:
        if known.step == step and isinstance(ours, dict) and isinstance(kafkas, dict):
            pair = str(ours.get(known.key)), str(kafkas.get(known.key))
            if pair[0].replace(known.ours, known.kafkas) == pair[1]:
                ours, kafkas = ({k: v for k, v in each.items() if k != known.key} for each in (ours, kafkas))
    return ours, kafkas
