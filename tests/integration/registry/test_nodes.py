"""Several nodes on one topic: one writes, the others pass writes on, and another takes over."""

import json
import threading

import httpx

from app.registry.settings import RegistrySettings
from tests.conftest import wait_until
from tests.integration.registry.running_registry import V1, running_registry

RECORD = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}


def test_one_node_writes_and_another_takes_over(bootstrap_servers: str, settings: RegistrySettings) -> None:
    group = settings.kafkastore_topic.replace("_schemas", "sr")
    with running_registry(bootstrap_servers, settings, group_id=group) as second:
        with running_registry(bootstrap_servers, settings, group_id=group) as first:
            ids = [first.register("s", RECORD)["id"]]
            ids += [second.register(f"t{number}", {**RECORD, "name": f"T{number}"})["id"] for number in range(5)]
            ids += [first.register(f"u{number}", {**RECORD, "name": f"U{number}"})["id"] for number in range(5)]
            assert sorted(ids) == list(range(1, 12))
            refused = second.http.post("/subjects/s/versions", content=json.dumps({"schema": '"int"'}), headers=V1)
            assert (refused.status_code, refused.json()["error_code"]) == (409, 409)
        body = json.dumps({"schema": json.dumps({**RECORD, "name": "After"})})
        answers = []

        def is_taken() -> bool:
            answers.append(second.http.post("/subjects/after/versions", content=body, headers=V1).json())
            return "id" in answers[-1]

        wait_until(is_taken)
        assert answers[-1]["id"] == 12
        assert {one["error_code"] for one in answers[:-1]} <= {50003, 50004}
        assert len(second.get("/subjects")) == 12


def test_both_registering_at_once_never_share_an_id(bootstrap_servers: str, settings: RegistrySettings) -> None:
    group = settings.kafkastore_topic.replace("_schemas", "sr")
    with (
        running_registry(bootstrap_servers, settings, group_id=group) as first,
        running_registry(bootstrap_servers, settings, group_id=group) as second,
    ):
        given: dict[str, int] = {}

        def register_on(url: str, lane: int) -> None:
            with httpx.Client(base_url=url, timeout=30) as http:
                for number in range(15):
                    subject = f"s-{lane}-{number}"
                    body = {"schema": json.dumps({**RECORD, "name": f"R_{lane}_{number}"})}
                    answer = http.post(f"/subjects/{subject}/versions", content=json.dumps(body), headers=V1)
                    assert answer.status_code == 200, answer.text
                    given[subject] = answer.json()["id"]

        lanes = [
            threading.Thread(target=register_on, args=(node.url, lane)) for lane, node in enumerate((first, second) * 2)
        ]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()
        assert sorted(given.values()) == list(range(1, 61))
        wait_until(lambda: {one["subject"]: one["id"] for one in first.get("/schemas")} == given)
        wait_until(lambda: {one["subject"]: one["id"] for one in second.get("/schemas")} == given)


def test_the_same_schema_from_both_nodes_at_once_has_one_id(bootstrap_servers: str, settings: RegistrySettings) -> None:
    group = settings.kafkastore_topic.replace("_schemas", "sr")
    with (
        running_registry(bootstrap_servers, settings, group_id=group) as first,
        running_registry(bootstrap_servers, settings, group_id=group) as second,
    ):
        assert first.register("before", {**RECORD, "name": "Before"})["id"] == 1  # there is a writer from here on
        together = threading.Barrier(8)
        given: list[tuple[int, int]] = []

        def register_on(url: str, subject: str) -> None:
            with httpx.Client(base_url=url, timeout=30) as http:
                for number in range(5):
                    body = {"schema": json.dumps({**RECORD, "name": f"Same{number}"})}
                    together.wait(30)
                    answer = http.post(f"/subjects/{subject}-{number}/versions", content=json.dumps(body), headers=V1)
                    assert answer.status_code == 200, answer.text
                    given.append((number, answer.json()["id"]))

        lanes = [
            threading.Thread(target=register_on, args=(node.url, f"s{lane // 4}"))
            for lane, node in enumerate((first, second) * 4)
        ]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()
        assert len(given) == 40
        assert sorted(set(given)) == [(number, 2 + number) for number in range(5)]
        wait_until(lambda: len(second.get("/schemas")) == 11)
        assert {one["version"] for one in second.get("/schemas")} == {1}
