"""T8, led by coverage: 20 s of frames in `make test`, ten minutes with each seed in `make soak`.

`CAUDAL_CORPUS=FOLDER` keeps the frames that reached something new, and begins with them the next time.
"""

import asyncio
import gc
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from broker.broker import Broker
from broker.config import broker_config
from broker.protocol.api_keys import ApiKey
from broker.protocol.frames import decode_response, request_frame
from broker.protocol.messages.create_topics import CreatableTopic, CreateTopicsRequest
from broker.protocol.primitives import Message
from tests.faults.broker_under_test import MIB
from tests.faults.guided_fuzz import Complaints, Corpus, LineWatch, Sender, frames_for
from tests.faults.malformed import TOPICS
from tests.integration.broker.wire_client import batch, produce_request

SECONDS, SOAK_SECONDS = 20, 600
RSS_GROWTH_MIB_MAX = 150
"""The corpus, the watched lines and the records that the fuzzer produces are in this process too."""
SETTINGS = {
    "listeners": "127.0.0.1:0",
    "caudal.partitions.max": "200",
    "offsets.topic.num.partitions": "2",
    "transaction.state.log.num.partitions": "2",
}
CHECK_EVERY = 500
OWN_TOPIC = "undisturbed-QQQQ"


class OtherClient:
    """Produces to its own topic now and then, and must find it as it left it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._offset = 0
        self.worst_s = 0.0

    async def ask(self, request: Message, version: int) -> Message:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(request_frame(ApiKey(request.API_KEY), version, 1, "other", request))
            async with asyncio.timeout(10):
                frame = await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
        finally:
            writer.close()
        return decode_response(request.API_KEY, version, frame)[1]  # type: ignore[no-any-return]

    async def create_topics(self) -> None:
        wanted = [CreatableTopic(name=name, num_partitions=1, replication_factor=1) for name in (*TOPICS, OWN_TOPIC)]
        await self.ask(CreateTopicsRequest(topics=wanted, timeout_ms=5000), 7)

    async def check(self) -> None:
        begun = time.monotonic()
        answer = await self.ask(produce_request(OWN_TOPIC, batch(b"x")), 9)
        self.worst_s = max(self.worst_s, time.monotonic() - begun)
        partition = answer.responses[0].partition_responses[0]  # type: ignore[attr-defined]
        assert (partition.error_code, partition.base_offset) == (0, self._offset)
        self._offset += 1


async def fuzz(folder: Path, corpus: Corpus, complaints: Complaints, seconds: float) -> dict[str, object]:
    """Run a broker, send it frames; the figures. Raises AssertionError with the frame that did harm."""
    asyncio.get_running_loop().set_exception_handler(complaints.on_loop_error)
    process = psutil.Process()
    broker = Broker(broker_config(SETTINGS), folder)
    await broker.start()
    port = int(broker.listeners[0].address.rpartition(":")[2])
    sender, other = Sender(port), OtherClient(port)
    await other.create_topics()
    count, rss = 0, 0.0
    try:
        with LineWatch() as watch:
            known = 0
            for data in frames_for(seconds, corpus):
                await sender.send(data)
                count += 1
                assert not complaints.texts, f"frame {data.hex()}:\n{complaints.texts[0]}"
                if len(watch.lines) > known:
                    known = len(watch.lines)
                    corpus.keep(data)
                if count % CHECK_EVERY == 0:
                    await other.create_topics()  # some frames delete topics
                    await other.check()
                    rss = rss or process.memory_info().rss / MIB
        sender.close()
        await other.check()
    finally:
        sender.close()
        await broker.stop()
    gc.collect()
    growth_mib = process.memory_info().rss / MIB - rss
    assert growth_mib < RSS_GROWTH_MIB_MAX
    return {
        "frames": count,
        "kept": corpus.found,
        "lines": known,
        "connections": sender.connections,
        "growth_mib": growth_mib,
        "other_client_worst_ms": other.worst_s * 1000,
    }


def test_frames_led_by_coverage_harm_nobody(
    tmp_path: Path, chance: random.Random, is_soak: bool, figures: Callable[..., None]
) -> None:
    kept_in = os.environ.get("CAUDAL_CORPUS")
    corpus = Corpus(chance, Path(kept_in) if kept_in else None)
    at_first = len(corpus.frames)
    complaints = Complaints()
    with complaints.listening():
        found = asyncio.run(fuzz(tmp_path / "data", corpus, complaints, SOAK_SECONDS if is_soak else SECONDS))
    figures(**found)
    assert found["frames"] > at_first
    assert found["kept"]
