"""The broker as a whole in one process: starts, serves, stops, and takes up its data again."""

import asyncio
import contextlib
import threading

import pytest

from broker.broker import Broker
from broker.config import ConfigError, broker_config
from broker.errors import CorruptMessage, NotLeaderOrFollower
from broker.log import DataRootError, checkpoint_files, partition_log
from broker.log.quarantine import QUARANTINE_FILE
from broker.log.segment_scan import SegmentScan
from broker.protocol.frames import decode_response, request_frame
from broker.protocol.messages.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from broker.protocol.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
)
from broker.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from broker.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic
from broker.protocol.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from broker.protocol.record_batch import Record, build_batch


@contextlib.asynccontextmanager
async def running(folder, **settings):
    given = {"listeners": "127.0.0.1:0", **{name.replace("_", "."): value for name, value in settings.items()}}
    broker = Broker(broker_config(given), folder)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


class Client:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def ask(self, request, version):
        self.writer.write(request_frame(request.API_KEY, version, 1, "t", request))
        return await self.answer(request, version)

    async def answer(self, request, version):
        size = int.from_bytes(await self.reader.readexactly(4), "big")
        return decode_response(request.API_KEY, version, await self.reader.readexactly(size))[1]


@contextlib.asynccontextmanager
async def connected(broker):
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.listeners[0].port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def produce(topic, value=b"x"):
    records = build_batch([Record(0, 1_700_000_000_000, None, value)])
    data = [PartitionProduceData(index=0, records=records)]
    return ProduceRequest(acks=-1, topic_data=[TopicProduceData(name=topic, partition_data=data)])


def fetch(topic, *, offset=0, max_wait_ms=0):
    asked = [FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=1 << 20)]
    return FetchRequest(max_wait_ms=max_wait_ms, min_bytes=1, topics=[FetchTopic(topic=topic, partitions=asked)])


async def test_records_are_there_after_a_restart(tmp_path):
    async with running(tmp_path) as broker, connected(broker) as client:
        cluster_id = broker.cluster_id
        await client.ask(MetadataRequest(topics=[MetadataRequestTopic(name="t")]), 12)
        answer = await client.ask(produce("t"), 9)
        assert answer.responses[0].partition_responses[0].base_offset == 0
    assert (tmp_path / ".kafka_cleanshutdown").exists()
    async with running(tmp_path) as broker, connected(broker) as client:
        assert broker.cluster_id == cluster_id
        answer = await client.ask(fetch("t"), 12)
        assert answer.responses[0].partitions[0].high_watermark == 1


async def test_a_stop_answers_a_waiting_fetch_and_refuses_new_clients(tmp_path):
    async with running(tmp_path) as broker:
        async with connected(broker) as client:
            await client.ask(MetadataRequest(topics=[MetadataRequestTopic(name="t")]), 12)
            request = fetch("t", max_wait_ms=60_000)
            client.writer.write(request_frame(1, 12, 1, "t", request))
            await asyncio.sleep(0.05)
            stopping = asyncio.ensure_future(broker.stop())
            answer = await asyncio.wait_for(client.answer(request, 12), 2)
            assert answer.responses[0].partitions[0].error_code == 0
            await asyncio.wait_for(stopping, 5)
        with pytest.raises(OSError):
            async with connected(broker):
                pass


async def test_what_is_appended_is_on_disk_soon_without_being_asked(tmp_path):
    async with running(tmp_path) as broker, connected(broker) as client:
        await client.ask(MetadataRequest(topics=[MetadataRequestTopic(name="t")]), 12)
        (log,) = broker._topics.partitions("t")
        for count in (1, 2):  # the second time the flush had fallen asleep
            await client.ask(produce("t"), 9)
            async with asyncio.timeout(15):
                while log.recovery_point < count:
                    await asyncio.sleep(0.01)
        assert not broker._logs.is_dirty


async def test_with_flush_mode_always_a_batch_is_on_disk_before_its_answer(tmp_path):
    async with running(tmp_path, caudal_flush_mode="always") as broker, connected(broker) as client:
        await client.ask(MetadataRequest(topics=[MetadataRequestTopic(name="t")]), 12)
        answer = await asyncio.wait_for(client.ask(produce("t"), 9), 5)
        assert answer.responses[0].partition_responses[0].base_offset == 0
        answer = await client.ask(fetch("t"), 12)
        assert answer.responses[0].partitions[0].high_watermark == 1


async def test_a_taken_port_is_an_error_and_leaves_the_folder_free(tmp_path):
    async with running(tmp_path / "a") as first:
        second = Broker(broker_config({"listeners": f"127.0.0.1:{first.listeners[0].port}"}), tmp_path / "b")
        with pytest.raises(ConfigError, match="taken by another program"):
            await second.start()
        await second.stop()
    async with running(tmp_path / "b"):
        pass


async def test_a_folder_in_use_is_an_error(tmp_path):
    async with running(tmp_path):
        second = Broker(broker_config({"listeners": "127.0.0.1:0"}), tmp_path)
        with pytest.raises(DataRootError, match="in use"):
            await second.start()
        await second.stop()


async def test_background_work_that_fails_is_logged_and_tried_again(tmp_path, caplog, monkeypatch):
    async with running(tmp_path, log_retention_check_interval_ms="10") as broker:
        calls = []

        def fail(now_ms):
            calls.append(now_ms)
            raise OSError("disk gone")

        monkeypatch.setattr(broker._open_logs, "retain_each", fail)
        while len(calls) < 2:
            await asyncio.sleep(0.01)
    assert "disk gone" in caplog.text


async def test_who_deletes_records_keeps_nobody_waiting_for_the_disk(tmp_path, monkeypatch):
    write, is_held, gate = checkpoint_files.write_atomically, threading.Event(), threading.Event()

    def write_through_the_gate(path, text):
        if path.name == "log-start-offset-checkpoint":
            is_held.set()
            if not gate.wait(20):
                raise OSError("nobody was served meanwhile")
        write(path, text)

    wanted = DeleteRecordsTopic(name="t", partitions=[DeleteRecordsPartition(partition_index=0, offset=1)])
    async with running(tmp_path) as broker, connected(broker) as deleting, connected(broker) as other:
        await other.ask(MetadataRequest(topics=[MetadataRequestTopic(name="t")]), 12)
        for _ in range(2):
            await other.ask(produce("t"), 9)
        monkeypatch.setattr(checkpoint_files, "write_atomically", write_through_the_gate)
        deletion = asyncio.create_task(deleting.ask(DeleteRecordsRequest(topics=[wanted]), 2))
        assert await asyncio.to_thread(is_held.wait, 20)
        assert (await other.ask(fetch("t", offset=1), 12)).responses[0].partitions[0].records
        assert not deletion.done(), "its answer waits until the disk has it"
        gate.set()
        (partition,) = (await deletion).topics[0].partitions
        assert (partition.low_watermark, partition.error_code) == (1, 0)


async def test_a_large_damaged_segment_is_scanned_beside_everything_else(tmp_path, monkeypatch):
    gate, run = threading.Event(), SegmentScan.run

    def run_behind_the_gate(scan):
        if gate.wait(20):
            run(scan)

    settings = {"internal.segment.bytes": "300", "retention.ms": "-1"}
    configs = [CreatableTopicConfig(name=name, value=value) for name, value in settings.items()]
    topic = CreatableTopic(name="t", num_partitions=1, replication_factor=1, configs=configs)
    async with running(tmp_path) as broker, connected(broker) as client:
        assert (await client.ask(CreateTopicsRequest(topics=[topic]), 7)).topics[0].error_code == 0
        for number in range(9):
            await client.ask(produce("t", b"%d" % number * 40), 9)
    path = sorted((tmp_path / "t-0").glob("*.log"))[1]
    first_offset = int(path.stem)
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)

    monkeypatch.setattr(partition_log, "SCANNED_AT_ONCE_BYTES", 0)
    monkeypatch.setattr(SegmentScan, "run", run_behind_the_gate)
    async with running(tmp_path) as broker, connected(broker) as client:
        assert await error_at(client, first_offset) == NotLeaderOrFollower.code
        assert await error_at(client, first_offset) == NotLeaderOrFollower.code, "one scan is enough"
        assert await error_at(client, 0) == 0, "others are served while it goes on"
        gate.set()
        async with asyncio.timeout(20):
            while (error := await error_at(client, first_offset)) == NotLeaderOrFollower.code:
                await asyncio.sleep(0.01)
        assert error == CorruptMessage.code
        assert await error_at(client, first_offset + 1) == 0, "what lies behind it can be read"
    assert (tmp_path / "t-0" / QUARANTINE_FILE).read_text().startswith(f"0\n1\n{first_offset} {first_offset} ")


async def error_at(client, offset):
    """The error code of a fetch; records come with none."""
    (partition,) = (await client.ask(fetch("t", offset=offset), 12)).responses[0].partitions
    assert bool(partition.records) == (partition.error_code == 0)
    return partition.error_code
