"""DescribeCluster: the brokers and the controller, without topics; the first call of most Java admin tools.

v1 endpoint type (KIP-919) · v2 fenced brokers.
"""

from __future__ import annotations

from typing import Final

from broker.dispatch import RequestContext, handles
from broker.errors import MismatchedEndpointType, UnsupportedEndpointType
from broker.handlers.metadata import CLUSTER_OPERATIONS
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.describe_cluster import (
    DescribeClusterBroker,
    DescribeClusterRequest,
    DescribeClusterResponse,
)

BROKERS: Final = 1
CONTROLLERS: Final = 2


@handles(ApiKey.DESCRIBE_CLUSTER, versions=range(3))
def describe_cluster(request: DescribeClusterRequest, context: RequestContext) -> DescribeClusterResponse:
    """Name this broker. Raises MismatchedEndpointType when asked for controllers, which listen elsewhere in Kafka."""
    if request.endpoint_type == CONTROLLERS:
        raise MismatchedEndpointType(
            "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"
        )
    if request.endpoint_type != BROKERS:
        raise UnsupportedEndpointType(f"Unsupported endpoint type {request.endpoint_type}")
    config, listener = context.config, context.listener
    response = DescribeClusterResponse(
        cluster_id=context.cluster_id,
        controller_id=config.node_id,
        brokers=[
            DescribeClusterBroker(
                broker_id=config.node_id,
                host=listener.advertised_host,
                port=listener.advertised_port,
                rack=config.broker_rack,
            )
        ],
    )
    if request.include_cluster_authorized_operations:
        response.cluster_authorized_operations = CLUSTER_OPERATIONS
    return response
