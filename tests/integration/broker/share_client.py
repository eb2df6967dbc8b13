"""A member of share groups that says exactly what a test wants."""

from __future__ import annotations

import base64
import time
import uuid

from broker.protocol.messages import alter_share_group_offsets as alter
from broker.protocol.messages import describe_share_group_offsets as describe
from broker.protocol.messages import incremental_alter_configs as alter_configs
from broker.protocol.messages import share_acknowledge as acknowledge
from broker.protocol.messages import share_fetch as fetch
from broker.protocol.messages.metadata import MetadataRequest, MetadataRequestTopic
from broker.protocol.messages.share_group_heartbeat import ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse
from tests.integration.broker.wire_client import WireClient, batch, produce_request

ACCEPT, RELEASE, REJECT, RENEW = 1, 2, 3, 4


class ShareClient:
    """One member with one connection, for partition 0 of one topic."""

    def __init__(self, address: str, group: str, topic: str, *, member_id: str | None = None) -> None:
        self.wire = WireClient(address)
        self.group, self.topic = group, topic
        self.member_id = member_id or base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        metadata = self.wire.ask(MetadataRequest(topics=[MetadataRequestTopic(name=topic)]), 12)
        self.topic_id = metadata.topics[0].topic_id
        self.session_epoch = 0

    def close(self) -> None:
        self.wire.socket.close()

    def beat(self, epoch: int = 0, **fields) -> ShareGroupHeartbeatResponse:
        if epoch == 0:
            fields.setdefault("subscribed_topic_names", [self.topic])
        request = ShareGroupHeartbeatRequest(
            group_id=self.group, member_id=self.member_id, member_epoch=epoch, **fields
        )
        return self.wire.ask(request, 1)

    def start_at(self, offset: int) -> int:
        """Let the group begin at this offset; the error code."""
        partition = alter.AlterShareGroupOffsetsRequestPartition(partition_index=0, start_offset=offset)
        topic = alter.AlterShareGroupOffsetsRequestTopic(topic_name=self.topic, partitions=[partition])
        answer = self.wire.ask(alter.AlterShareGroupOffsetsRequest(group_id=self.group, topics=[topic]), 0)
        return answer.error_code or answer.responses[0].partitions[0].error_code

    def set_config(self, name: str, value: str) -> None:
        """Set a config of the group."""
        config = alter_configs.AlterableConfig(name=name, config_operation=0, value=value)
        resource = alter_configs.AlterConfigsResource(resource_type=32, resource_name=self.group, configs=[config])
        request = alter_configs.IncrementalAlterConfigsRequest(resources=[resource])
        assert self.wire.ask(request, 1).responses[0].error_code == 0

    def produce(self, *values: bytes, **fields) -> int:
        """Append one batch; the base offset."""
        records = batch(*values, timestamp_ms=int(time.time() * 1000), **fields)
        answer = self.wire.ask(produce_request(self.topic, records), 9).responses[0].partition_responses[0]
        assert answer.error_code == 0
        return answer.base_offset

    def fetch_answer(self, *said: tuple, version: int = 2, **fields) -> fetch.ShareFetchResponse:
        """The answer to the next request of this member's session; `said` are (first, last, types)."""
        epoch = fields.pop("epoch", self.session_epoch)
        partition = fetch.FetchPartition(
            partition_index=0, acknowledgement_batches=[fetch.AcknowledgementBatch(*each) for each in said]
        )
        settings = {"max_wait_ms": 200, "min_bytes": 1, "max_records": 500, "batch_size": 500} | fields
        request = fetch.ShareFetchRequest(
            group_id=self.group,
            member_id=self.member_id,
            share_session_epoch=epoch,
            topics=[fetch.FetchTopic(topic_id=self.topic_id, partitions=[partition])] if said or epoch == 0 else [],
            **settings,
        )
        answer = self.wire.ask(request, version)
        if answer.error_code == 0:
            self.session_epoch = epoch + 1
        return answer

    def fetch(self, *said: tuple, **fields) -> list[tuple[int, int, int]]:
        """What was acquired: (first, last, delivery count)."""
        answer = self.fetch_answer(*said, **fields)
        assert answer.error_code == 0, answer
        return [
            (each.first_offset, each.last_offset, each.delivery_count)
            for topic in answer.responses
            for partition in topic.partitions
            for each in partition.acquired_records
        ]

    def acknowledge(self, *said: tuple, version: int = 2, **fields) -> int:
        """The error code of the request, or of the partition."""
        epoch = fields.pop("epoch", self.session_epoch)
        partition = acknowledge.AcknowledgePartition(
            partition_index=0, acknowledgement_batches=[acknowledge.AcknowledgementBatch(*each) for each in said]
        )
        answer = self.wire.ask(
            acknowledge.ShareAcknowledgeRequest(
                group_id=self.group,
                member_id=self.member_id,
                share_session_epoch=epoch,
                topics=[acknowledge.AcknowledgeTopic(topic_id=self.topic_id, partitions=[partition])],
                **fields,
            ),
            version,
        )
        if answer.error_code:
            return answer.error_code
        self.session_epoch = epoch + 1
        return answer.responses[0].partitions[0].error_code

    def progress(self) -> tuple[int, int]:
        """The group's start offset and its lag."""
        topic = describe.DescribeShareGroupOffsetsRequestTopic(topic_name=self.topic, partitions=[0])
        group = describe.DescribeShareGroupOffsetsRequestGroup(group_id=self.group, topics=[topic])
        answer = self.wire.ask(describe.DescribeShareGroupOffsetsRequest(groups=[group]), 1)
        partition = answer.groups[0].topics[0].partitions[0]
        return partition.start_offset, partition.lag
