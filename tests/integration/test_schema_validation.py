"""Topics that validate schema ids, with the clients people use, against a running Caudal with its Schema Registry."""

import base64
import json
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import aiokafka
import httpx
import pytest
from aiokafka.errors import for_code
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType
from confluent_kafka.schema_registry import (
    Schema,
    SchemaRegistryClient,
    header_schema_id_serializer,
    record_subject_name_strategy,
    topic_record_subject_name_strategy,
)
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf.struct_pb2 import Value

from tests.conftest import start_platform, wait_until
from tests.docs.curl_blocks import curl_blocks

INVALID_RECORD = 87
STRATEGIES = "io.confluent.kafka.serializers.subject."
VALIDATED = {"confluent.value.schema.validation": "true"}
V1 = {"Content-Type": "application/vnd.schemaregistry.v1+json"}


WITH_KAFKA_PYTHON = """
import sys
import kafka
servers, topic, good = sys.argv[1:]
producer = kafka.KafkaProducer(bootstrap_servers=servers)
print(producer.send(topic, bytes.fromhex(good)).get(20).offset, end=" ")
try:
    producer.send(topic, b"bad").get(20)
except kafka.errors.KafkaError as error:
    print(type(error).__name__, error.errno, error)
producer.close()
"""  # its import warns of what Python 3.11 has deprecated, which is an error here


def avro(*names: str) -> str:
    fields = [{"name": name, "type": "int", "default": 0} for name in names]
    return json.dumps({"type": "record", "name": "Order", "namespace": "shop", "fields": fields})


class Shop:
    """A running Caudal, and what a test asks of it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.platform = start_platform(data_dir)
        self.shown = ""
        """A topic that is there from the start, so that pages show it soon."""

    def restart(self) -> None:
        assert self.platform.stop() == 0
        self.platform = start_platform(self.data_dir)

    @property
    def registry(self) -> SchemaRegistryClient:
        return SchemaRegistryClient({"url": self.platform.http})

    def topic(self, **configs: str) -> str:
        name = f"orders-{uuid.uuid4().hex[:8]}"
        given = VALIDATED | {f"confluent.{key.replace('_', '.')}": value for key, value in configs.items()}
        admin = AdminClient({"bootstrap.servers": self.platform.kafka})
        admin.create_topics([NewTopic(name, 1, config=given)])[name].result(20)
        return name

    def producer(self, **settings: object) -> "Sender":
        """Its records wait for the flush, so that those of one `send` are one batch once the topic is known to it."""
        return Sender(Producer({"bootstrap.servers": self.platform.kafka, "linger.ms": 10_000, **settings}))

    def values(self, topic: str) -> list[bytes | None]:
        consumer = Consumer(
            {
                "bootstrap.servers": self.platform.kafka,
                "group.id": uuid.uuid4().hex,
                "enable.partition.eof": True,
            }
        )
        consumer.assign([TopicPartition(topic, 0, 0)])
        found: list[bytes | None] = []
        while (message := consumer.poll(20)) is not None:
            error = message.error()
            if error is not None:
                assert error.code() == KafkaError._PARTITION_EOF
                break
            found.append(message.value())
        consumer.close()
        return found


class Sender:
    """librdkafka's producer, which tells what became of each record."""

    def __init__(self, producer: Producer) -> None:
        self.producer = producer

    def send(self, topic: str, *values: bytes | None, **more: object) -> list[int]:
        """The error code of each record."""
        codes: dict[int, int] = {}

        def note(number: int, error: KafkaError | None) -> None:
            codes[number] = 0 if error is None else error.code()

        for number, value in enumerate(values):

            def delivered(error: KafkaError | None, _: Message, number: int = number) -> None:
                note(number, error)

            self.producer.produce(topic, value=value, on_delivery=delivered, **more)  # type: ignore[arg-type]
        assert self.producer.flush(30) == 0
        return [codes[number] for number in range(len(values))]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    shop = Shop(tmp_path_factory.mktemp("shop") / "data")
    shop.shown = shop.topic()
    yield shop
    shop.platform.stop()


def value_of(topic: str) -> SerializationContext:
    return SerializationContext(topic, MessageField.VALUE)


def prefix(schema_id: int) -> bytes:
    return b"\0" + schema_id.to_bytes(4, "big")


def test_a_schema_counts_from_the_moment_it_is_registered(shop: Shop) -> None:
    topic, producer = shop.topic(), shop.producer()
    codes = []
    for count in range(1, 11):
        names = [f"f{number}" for number in range(count)]
        value = AvroSerializer(shop.registry, avro(*names))(dict.fromkeys(names, 1), value_of(topic))
        codes += producer.send(topic, value)
    assert codes == [0] * 10


def test_what_is_not_registered_for_the_topic_is_refused_and_nothing_of_it_stays(shop: Shop) -> None:
    topic, other, producer = shop.topic(), shop.topic(), shop.producer()
    own = shop.registry.register_schema(f"{topic}-value", Schema(avro("a"), "AVRO"))
    others = shop.registry.register_schema(f"{other}-value", Schema(avro("b"), "AVRO"))
    assert producer.send(topic, prefix(own) + b"\2") == [0]
    for bad in (b"raw bytes", prefix(others) + b"\2", prefix(9_999), b""):
        assert producer.send(topic, bad) == [INVALID_RECORD]
    assert producer.send(topic, prefix(own), b"raw", prefix(own)) == [INVALID_RECORD] * 3  # one batch
    assert producer.send(topic, None) == [0]  # a tombstone
    shop.registry.delete_subject(f"{topic}-value")
    assert producer.send(topic, prefix(own)) == [INVALID_RECORD]
    assert shop.values(topic) == [prefix(own) + b"\2", None]


def test_compressed_batches_are_no_way_in(shop: Shop) -> None:
    topic, producer = shop.topic(), shop.producer(**{"compression.type": "zstd"})
    own = shop.registry.register_schema(f"{topic}-value", Schema(avro("a"), "AVRO"))
    assert producer.send(topic, *[prefix(own) + bytes(100)] * 50) == [0] * 50
    assert producer.send(topic, *[prefix(own) + bytes(100)] * 49, bytes(100)) == [INVALID_RECORD] * 50
    assert len(shop.values(topic)) == 50


def test_every_format_and_strategy_of_the_serializers_passes(shop: Shop) -> None:
    producer, registry = shop.producer(), shop.registry
    by_record = shop.topic(value_subject_name_strategy=f"{STRATEGIES}RecordNameStrategy")
    by_both = shop.topic(value_subject_name_strategy=f"{STRATEGIES}TopicRecordNameStrategy")
    name = f"Title{uuid.uuid4().hex[:6]}"
    title = json.dumps({"title": name, "type": "object"})
    for topic, strategy in ((by_record, record_subject_name_strategy), (by_both, topic_record_subject_name_strategy)):
        conf = {"subject.name.strategy": strategy}
        context = value_of(topic)
        value = Value(number_value=7)  # the second message of its file
        for data in (
            AvroSerializer(registry, avro("a"), conf=conf)({"a": 1}, context),
            JSONSerializer(title, registry, conf=conf)({"a": 1}, context),
            ProtobufSerializer(Value, registry, conf)(value, context),
        ):
            assert data is not None
            assert producer.send(topic, data) == [0]
            assert producer.send(shop.topic(), data) == [INVALID_RECORD]
    assert {"shop.Order", name, "google.protobuf.Value", f"{by_both}-{name}"} <= set(registry.get_subjects())
    context = SerializationContext(by_both, MessageField.VALUE, headers=[])
    guided = AvroSerializer(
        registry,
        avro("a"),
        conf={
            "subject.name.strategy": topic_record_subject_name_strategy,
            "schema.id.serializer": header_schema_id_serializer,
        },
    )({"a": 1}, context)
    assert guided == b"\2"
    assert producer.send(by_both, guided, headers=context.headers) == [0]
    assert producer.send(by_both, guided) == [INVALID_RECORD]


def test_a_producer_that_counts_its_records_goes_on_after_a_refusal(shop: Shop) -> None:
    topic = shop.topic()
    own = prefix(shop.registry.register_schema(f"{topic}-value", Schema(avro("a"), "AVRO")))
    counting = shop.producer(**{"enable.idempotence": True})
    codes = [counting.send(topic, value) for value in (own + b"1", b"bad", own + b"2", own + b"3")]
    assert codes == [[0], [INVALID_RECORD], [0], [0]]
    transactional = shop.producer(**{"transactional.id": topic})
    transactional.producer.init_transactions(20)
    transactional.producer.begin_transaction()
    assert transactional.send(topic, own + b"4") == [0]
    assert transactional.send(topic, b"bad") == [INVALID_RECORD]
    with pytest.raises(KafkaException):
        transactional.producer.commit_transaction(20)
    transactional.producer.abort_transaction(20)
    # librdkafka counts the refused record, so it has to abort once more before it asks for a new epoch, as on Kafka.
    transactional.producer.begin_transaction()
    if transactional.send(topic, own + b"5") != [0]:
        transactional.producer.abort_transaction(20)
        transactional.producer.begin_transaction()
        assert transactional.send(topic, own + b"5") == [0]
    transactional.producer.commit_transaction(20)
    assert shop.values(topic) == [own + b"1", own + b"2", own + b"3", own + b"5"]


async def test_other_clients_see_the_error_too(shop: Shop) -> None:
    topic = shop.topic()
    own = prefix(shop.registry.register_schema(f"{topic}-value", Schema(avro("a"), "AVRO")))
    words = [shop.platform.kafka, topic, own.hex()]
    done = subprocess.run([sys.executable, "-c", WITH_KAFKA_PYTHON, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("0 InvalidRecordError 87 ")
    assert "value: there is no schema id (byte 0, then an id of 4 bytes): it begins with 62 61 64" in done.stdout
    async with aiokafka.AIOKafkaProducer(bootstrap_servers=shop.platform.kafka) as producer:
        assert (await producer.send_and_wait(topic, own)).offset == 1
        with pytest.raises(for_code(INVALID_RECORD)):
            await producer.send_and_wait(topic, b"bad")


def test_the_configs_are_described_and_checked(shop: Shop) -> None:
    topic = shop.topic()
    admin = AdminClient({"bootstrap.servers": shop.platform.kafka})
    resource = ConfigResource(ResourceType.TOPIC, topic)
    shown = admin.describe_configs([resource])[resource].result(20)
    assert {name: entry.value for name, entry in shown.items() if name.startswith("confluent.")} == {
        "confluent.key.schema.validation": "false",
        "confluent.key.subject.name.strategy": f"{STRATEGIES}TopicNameStrategy",
        "confluent.value.schema.validation": "true",
        "confluent.value.subject.name.strategy": f"{STRATEGIES}TopicNameStrategy",
    }
    for name, value in (("value.schema.validation", "on"), ("key.subject.name.strategy", "MyStrategy")):
        with pytest.raises(KafkaException) as caught:
            shop.topic(**{name.replace(".", "_"): value})
        assert caught.value.args[0].code() == KafkaError.INVALID_CONFIG
        assert f"Invalid value {value} for configuration confluent.{name}" in caught.value.args[0].str()


def test_the_rest_proxy_tells_why(shop: Shop) -> None:
    topic, rest = shop.topic(), shop.platform.rest
    own = prefix(shop.registry.register_schema(f"{topic}-value", Schema(avro("a"), "AVRO")))
    good, bad = ({"value": base64.b64encode(data).decode()} for data in (own, b"bad"))
    binary = {"Content-Type": "application/vnd.kafka.binary.v2+json"}
    url = f"{rest}/topics/{topic}"
    assert httpx.post(url, json={"records": [good]}, headers=binary).json()["offsets"][0]["offset"] == 0
    (refused,) = httpx.post(url, json={"records": [bad]}, headers=binary).json()["offsets"]
    assert (refused["offset"], refused["error_code"]) == (None, 50002)
    assert refused["error"].endswith("it begins with 62 61 64")
    cluster = httpx.get(f"{rest}/v3/clusters").json()["data"][0]["cluster_id"]
    data = {"value": {"type": "STRING", "data": "bad"}}
    receipt = httpx.post(f"{rest}/v3/clusters/{cluster}/topics/{topic}/records", json=data).json()
    assert receipt["error_code"] == 50002
    assert receipt["message"].endswith("RecordSchemaValidator: value: " + refused["error"].partition(": value: ")[2])


def test_the_form_of_the_control_center_tells_why_beside_the_value(shop: Shop) -> None:
    topic = shop.shown
    shop.registry.register_schema(f"{topic}-value", Schema(avro("a"), "AVRO"))
    with httpx.Client(headers={"Accept": "text/html"}) as browser:
        url = f"{shop.platform.cluster_url}/topics/{topic}/messages"
        wait_until(lambda: browser.get(url).status_code == 200, what="the page of a new topic")
        token = re.search(r'name="csrf" value="([^"]+)"', browser.get(url).text)
        assert token is not None
        answer = browser.post(url, data={"csrf": token[1], "value": "bad", "key": "k", "headers": "a: b"})
    assert answer.status_code == 422
    beside = re.search(r'id="value-error"[^>]*>(.*?)</p>', answer.text, re.DOTALL)
    assert beside is not None, answer.text
    assert "a registered schema id (confluent.value.schema.validation): there is no schema id" in beside[1]
    assert ">bad</textarea>" in answer.text


def test_the_page_does_what_it_says(shop: Shop) -> None:
    script = "\n".join(curl_blocks("docs/schema-validation.md"))
    for port, url in (("8081", shop.platform.http), ("8082", shop.platform.rest)):
        script = script.replace(f"http://localhost:{port}", url)
    done = subprocess.run(["bash", "-eu", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    refused, written = re.findall(r'\{"offsets":.*?\]', done.stdout)
    assert '"error_code":50002' in refused
    assert "it begins with 68 65 6c 6c 6f" in refused
    assert '"offset":0' in written


def test_after_a_restart_the_schemas_are_known_as_before(shop: Shop) -> None:
    topic = shop.topic()
    own = prefix(shop.registry.register_schema(f"{topic}-value", Schema(avro("a"), "AVRO")))
    shop.restart()
    assert shop.producer().send(topic, own) == [0]
    assert shop.producer().send(topic, prefix(9_999)) == [INVALID_RECORD]
