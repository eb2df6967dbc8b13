"""Schemathesis over the served document, on a running Caudal: no 5xx, and no answer that the document does not know.

CAUDAL_OPENAPI_EXAMPLES sets how many requests are made up for each operation, about half of them wrong ones;
CAUDAL_OPENAPI_SEED makes up others than the last time.
"""

import copy
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.rest import RestSettings
from app.rest.openapi.document import BY_ROUTE
from caudal.testing import Broker
from tests.conftest import wait_until
from tests.integration.rest.conftest import GUARDED
from tests.integration.rest.running_proxy import RunningProxy, running_proxy

EXAMPLES = int(os.environ.get("CAUDAL_OPENAPI_EXAMPLES", "6"))
SEED = os.environ.get("CAUDAL_OPENAPI_SEED", "")
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
RUN = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=not SEED,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
# What makes up wrong requests draws some of them by chance of its own.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
DESTROYS = ("DELETE /consumers/", "DELETE /v3/clusters/{cluster_id}/topics/{topic}")


@pytest.fixture(scope="module")
def proxy() -> Iterator[RunningProxy]:
    """Its own broker, as the run deletes whatever it finds, and every right there, as it makes ACLs too."""
    settings = RestSettings(consumer_request_timeout_ms=200)
    with (
        Broker(settings={**GUARDED, "super.users": "User:ANONYMOUS"}) as broker,
        running_proxy(broker.bootstrap_servers, settings, with_registry=True) as proxy,
    ):
        yield proxy


@pytest.fixture(scope="module")
def document(proxy: RunningProxy) -> dict[str, Any]:
    answer = proxy.http.get("/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


@dataclass
class Run:
    """What was answered: per operation the statuses, and all that the document does not know."""

    statuses: dict[str, list[int]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def successful(self) -> set[str]:
        return {label for label, statuses in self.statuses.items() if min(statuses) < 300}


def run(proxy: RunningProxy, document: dict[str, Any]) -> Run:
    """Call every operation of the document, those that take away what others need at the end."""
    found = Run()
    operations = [one.ok() for one in schemathesis.openapi.from_dict(document).get_all_operations()]
    for operation in sorted(operations, key=lambda one: one.label.startswith(DESTROYS)):
        call_often(proxy, operation, found)
    return found


def call_often(proxy: RunningProxy, operation: schemathesis.APIOperation, found: Run) -> None:
    statuses = found.statuses.setdefault(operation.label, [])

    right = st.one_of(*operation.get_strategies_from_examples(), operation.as_strategy())
    wrong = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

    @seed(int(SEED or 0))
    @RUN
    @given(case=right | wrong)
    def call(case: schemathesis.Case) -> None:
        answer = case.call(base_url=proxy.url)
        statuses.append(answer.status_code)
        try:
            case.validate_response(answer, checks=CHECKS)
        except (Failure, FailureGroup) as failure:
            found.failures.append(str(failure))

    call()


def with_names(document: dict[str, Any], **names: list[Any]) -> dict[str, Any]:
    """The same document; parameters of these names have these values, and none waits for long."""
    changed: dict[str, Any] = copy.deepcopy(document)
    for methods in changed["paths"].values():
        for operation in methods.values():
            for parameter in operation["parameters"]:
                if parameter["name"] == "wait_ms":
                    parameter["schema"] = {"enum": [0, 20, 100]}
                elif parameter["in"] == "path" and parameter["name"] in names:
                    parameter["schema"] = {"enum": names[parameter["name"]]}
    return changed


def closed(schema: Any) -> Any:
    """The same schema, in which an object has no fields but those that are named."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(value) for name, value in schema.items()}
    return {"additionalProperties": False, **inner} if "title" in inner and inner.get("type") == "object" else inner


def test_what_is_there_is_answered_as_the_document_says(proxy: RunningProxy, document: dict[str, Any]) -> None:
    """Names are those of a topic with records, of a group that read them; no answer has a field that is not named."""
    proxy.create_topic("visits", partitions=2)
    proxy.produce("visits", *({"key": n, "value": {"n": n}, "partition": n % 2} for n in range(6)))
    with (
        proxy.consumer("counters", name="c1") as consumer,
        proxy.consumer("manual", name="c1", format="binary") as manual,
    ):
        consumer.subscribe("visits")
        wait_until(consumer.read, what="the member reads")
        assert consumer.post("offsets").status_code == 200
        assert manual.post("assignments", {"partitions": [{"topic": "visits", "partition": 0}]}).status_code == 204
        members = proxy.http.get(f"{proxy.cluster_url()}/consumer-groups/counters/consumers").json()["data"]
        known = with_names(
            document,
            cluster_id=[proxy.cluster_url().rpartition("/")[2]],
            broker_id=proxy.http.get("/brokers").json()["brokers"],
            topic=["visits"],
            partition=[0, 1],
            name=["retention.ms", "log.retention.ms"],
            group=["counters", "manual"],
            consumer=[member["consumer_id"] for member in members],
            instance=["c1"],
        )
        known["components"]["schemas"] = closed(known["components"]["schemas"])
        found = run(proxy, known)
    assert found.failures == []
    assert len(found.successful) > 50, sorted(BY_ROUTE.keys() - found.successful)


def test_names_that_nobody_knows_are_answered_as_the_document_says(
    proxy: RunningProxy, document: dict[str, Any]
) -> None:
    found = run(proxy, with_names(document, cluster_id=[proxy.cluster_url().rpartition("/")[2]]))
    assert found.failures == []
    assert sorted(found.statuses) == sorted(BY_ROUTE)


@pytest.mark.parametrize(
    "wrong", [{"offset": 1 << 70}, {"offset": (1 << 63) - 1}, {"offset": 1, "metadata": "m" * 40_000}]
)
def test_an_offset_without_room_in_the_protocol_is_refused(proxy: RunningProxy, wrong: dict[str, object]) -> None:
    body = {"offsets": [{"topic": "t", "partition": 0, **wrong}]}
    with proxy.consumer("wrong", name="c1") as consumer:
        answer = consumer.post("offsets", body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, 400)
