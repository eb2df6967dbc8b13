from app.runtime import broker_configs
from app.settings import Settings


def test_the_broker_is_told_where_the_registry_is_only_if_it_is_elsewhere() -> None:
    assert broker_configs(Settings()) == {}
    given = Settings(schema_registry={"kafkastore_topic": "_schemas-2"}, broker={"node.id": "3"})
    assert broker_configs(given) == {"caudal.schemas.topic": "_schemas-2", "node.id": "3"}
