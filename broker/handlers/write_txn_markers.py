"""WriteTxnMarkers (API key 27): end transactions in partitions, whatever their coordinator knows of them.

Brokers ask each other; here only the administrator's tool does, to abort a transaction that hangs (KIP-664).
"""

from __future__ import annotations

from broker.dispatch import RequestContext, handles
from broker.errors import NONE, InvalidRequest, KafkaError
from broker.groups import Now
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerPartitionResult,
    WritableTxnMarkerResult,
    WritableTxnMarkerTopicResult,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
)
from broker.transactions import Markers


@handles(ApiKey.WRITE_TXN_MARKERS, versions=range(1, 3))
def write_txn_markers(request: WriteTxnMarkersRequest, context: RequestContext) -> WriteTxnMarkersResponse:
    """Answer each partition by itself; an epoch older than the producer's is refused. v2 transaction version."""
    markers = Markers(context.topics.partition, context.groups)
    now = Now.by(context.clock)
    return WriteTxnMarkersResponse(
        markers=[
            WritableTxnMarkerResult(
                producer_id=marker.producer_id,
                topics=[
                    WritableTxnMarkerTopicResult(
                        name=topic.name,
                        partitions=[
                            WritableTxnMarkerPartitionResult(index, _write(markers, marker, topic.name, index, now))
                            for index in topic.partition_indexes
                        ],
                    )
                    for topic in marker.topics
                ],
            )
            for marker in request.markers
        ]
    )


def _write(markers: Markers, marker: WritableTxnMarker, topic: str, index: int, now: Now) -> int:
    if marker.producer_id < 0:
        return InvalidRequest.code  # nobody's transaction
    try:
        markers.write(
            topic,
            index,
            commit=marker.transaction_result,
            producer_id=marker.producer_id,
            producer_epoch=marker.producer_epoch,
            coordinator_epoch=marker.coordinator_epoch,
            now=now,
        )
    except KafkaError as error:
        return error.code
    return NONE
