import pytest

from broker.config import BrokerConfig
from broker.errors import InvalidPartitions, PolicyViolation
from broker.metadata.partition_limit import NEW_PARTITIONS_MAX, check_new_partitions, check_partition_limit
from broker.metadata.topics import Topic


def test_all_partitions_together_stay_within_the_limit():
    topics = [Topic("a", bytes(16), 3, {}), Topic("b", bytes(16), 1, {})]
    config = BrokerConfig(caudal_partitions_max=6)
    check_partition_limit(2, topics, config)
    with pytest.raises(InvalidPartitions, match=r"would have 7 partitions; caudal\.partitions\.max allows 6"):
        check_partition_limit(3, topics, config)


def test_one_request_adds_so_many_partitions_and_no_more():
    check_new_partitions(NEW_PARTITIONS_MAX)
    with pytest.raises(PolicyViolation, match="Excessively large number of partitions"):
        check_new_partitions(NEW_PARTITIONS_MAX + 1)
