"""T6: a process that may open only 256 files, with more partitions and clients than that."""

import contextlib
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack

from broker.protocol.messages.api_versions import ApiVersionsRequest
from broker.protocol.record_batch import iter_batches
from tests.conftest import wait_until
from tests.faults.asking import LATEST, fetch_request, list_offsets, produce_everywhere
from tests.faults.broker_under_test import BrokerUnderTest
from tests.integration.broker.wire_client import WireClient

OPEN_FILES_MAX = 256
PARTITIONS = 500
CONNECTIONS = 200
TOPIC = "many"
SETTINGS = {"log.flush.offset.checkpoint.interval.ms": "300", "log.retention.check.interval.ms": "300"}
SLOW_READERS = 10
FETCHED_PARTITIONS = 100


def readable_partitions(wire: WireClient) -> int:
    """How many partitions return a batch from their start."""
    request = fetch_request(TOPIC, PARTITIONS, partition_max_bytes=200, max_bytes=1 << 20)
    found = wire.ask(request, 11).responses[0].partitions
    assert {partition.error_code for partition in found} == {0}
    return sum(any(iter_batches(partition.records)) for partition in found)


def connect_as_many_as_come(broker: BrokerUnderTest, clients: ExitStack) -> list[WireClient]:
    """Open connections; those that get an answer to a first request."""
    served = []
    for _ in range(CONNECTIONS):
        with contextlib.suppress(OSError, EOFError):
            client = clients.enter_context(WireClient(broker.bootstrap_servers, timeout=5))
            client.ask(ApiVersionsRequest(client_software_name="a", client_software_version="1"), 3)
            client.socket.settimeout(60)
            served.append(client)
    return served


def test_few_file_descriptors_cost_connections_and_nothing_else(
    new_broker: Callable[..., BrokerUnderTest], figures: Callable[..., None]
) -> None:
    broker = new_broker(settings=SETTINGS, open_files_max=OPEN_FILES_MAX)
    broker.create_topic(TOPIC, PARTITIONS)
    rounds = 0
    with WireClient(broker.bootstrap_servers, timeout=60) as early, ExitStack() as clients:
        assert produce_everywhere(early, TOPIC, PARTITIONS) == {0}
        served = connect_as_many_as_come(broker, clients)
        begun = time.monotonic()
        while time.monotonic() - begun < 3:  # with the flushes, checkpoints and retention that come meanwhile
            assert produce_everywhere(early, TOPIC, PARTITIONS) == {0}
            assert produce_everywhere(served[rounds % len(served)], TOPIC, PARTITIONS) == {0}
            rounds += 1
        written = 1 + 2 * rounds
        assert list_offsets(early, TOPIC, LATEST, PARTITIONS) == [written] * PARTITIONS
        assert readable_partitions(early) == PARTITIONS
        figures(
            open_files_max=OPEN_FILES_MAX,
            partitions=PARTITIONS,
            connections_served=len(served),
            connections_asked=CONNECTIONS,
            batches=written * PARTITIONS,
        )
    assert len(broker.log_lines("connection refused")) <= 2 or len(served) == CONNECTIONS
    assert broker.log_lines("flush failed") == []
    assert broker.unforeseen_lines() == []

    def is_welcome() -> bool:
        with contextlib.suppress(OSError, EOFError), WireClient(broker.bootstrap_servers, timeout=2) as client:
            return list_offsets(client, TOPIC, LATEST, PARTITIONS) == [written] * PARTITIONS
        return False

    wait_until(is_welcome, timeout=30, what="new clients are served once others have left")
    broker.kill()
    broker.start()
    with WireClient(broker.bootstrap_servers, timeout=60) as late:
        assert list_offsets(late, TOPIC, LATEST, PARTITIONS) == [written] * PARTITIONS
        assert produce_everywhere(late, TOPIC, PARTITIONS) == {0}


def test_a_flood_of_connections_ends_when_it_ends(new_broker: Callable[..., BrokerUnderTest]) -> None:
    """More connections than descriptors, none of which says anything."""
    broker = new_broker(open_files_max=OPEN_FILES_MAX)
    broker.create_topic(TOPIC, PARTITIONS)
    with ExitStack() as flood:
        for _ in range(2 * OPEN_FILES_MAX):
            with contextlib.suppress(OSError):
                flood.enter_context(socket.create_connection(("127.0.0.1", broker.port), timeout=5))

        def is_quiet() -> bool:
            cpu_seconds = broker.cpu_seconds()
            time.sleep(1)
            return broker.cpu_seconds() - cpu_seconds < 0.2

        wait_until(is_quiet, timeout=60, what="the broker is quiet: it does not turn in circles")
    with WireClient(broker.bootstrap_servers, timeout=30) as client:
        assert produce_everywhere(client, TOPIC, PARTITIONS) == {0}
    assert broker.unforeseen_lines() == []
    assert len(broker.log_lines("connection")) < 20


def test_slow_readers_of_many_partitions_do_not_take_the_descriptors_that_flushing_needs(
    new_broker: Callable[..., BrokerUnderTest], figures: Callable[..., None]
) -> None:
    broker = new_broker(open_files_max=OPEN_FILES_MAX)
    broker.create_topic(TOPIC, PARTITIONS)
    with WireClient(broker.bootstrap_servers, timeout=60) as wire, ExitStack() as clients:
        for _ in range(5):
            produce_everywhere(wire, TOPIC, FETCHED_PARTITIONS, bytes(100_000))
        request = fetch_request(TOPIC, FETCHED_PARTITIONS, partition_max_bytes=450_000, max_bytes=1 << 26)
        for _ in range(SLOW_READERS):
            reader = clients.enter_context(WireClient(broker.bootstrap_servers))
            reader.send(request, 11)
        begun = time.monotonic()
        while time.monotonic() - begun < 2:
            assert produce_everywhere(wire, TOPIC, PARTITIONS) == {0}
        figures(slow_readers=SLOW_READERS, partitions_each=FETCHED_PARTITIONS, rss_mib=broker.rss_mib())
    assert broker.log_lines("flush failed") == []
    assert broker.unforeseen_lines() == []
