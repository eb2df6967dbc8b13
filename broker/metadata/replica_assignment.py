"""Which brokers a client may ask a partition's replicas to be on: with one broker, that one alone.

Messages are those of Apache Kafka 4.3.1 (measured).
"""

from collections.abc import Sequence

from broker.errors import InvalidReplicaAssignment


def check_replicas(broker_ids: Sequence[int], node_id: int) -> None:
    """Whether the replicas of a partition could be on these brokers. Raises InvalidReplicaAssignment."""
    if not broker_ids:
        raise InvalidReplicaAssignment("The manual partition assignment includes an empty replica list.")
    for position, broker_id in enumerate(sorted(broker_ids)):
        if broker_id != node_id:
            raise InvalidReplicaAssignment(
                f"The manual partition assignment includes broker {broker_id}, but no such broker is registered."
            )
        if position > 0:
            raise InvalidReplicaAssignment(
                f"The manual partition assignment includes the broker {broker_id} more than once."
            )
