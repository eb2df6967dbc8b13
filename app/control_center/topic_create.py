"""Making a topic: friendly fields with the real config underneath, checked while one types, or cloned from another."""

import json
import shlex
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fastapi import APIRouter, Response

from app.cluster.snapshot import ClusterSnapshot
from app.cluster.topic_rules import topic_name_trouble
from app.control_center import words
from app.control_center.errors import explain
from app.control_center.forms import (
    Unreadable,
    parse_config_lines,
    parse_count,
    parse_size_bytes,
    parse_span_ms,
    say_size,
    say_span,
)
from app.control_center.visit import Asked, Visit
from app.kafka.ports import ClusterUnreachable, ConfigSource, NewTopic
from broker import errors as kafka

router = APIRouter()

PARTITIONS_MAX = 10_000
DEFAULT_PARTITIONS = 3
DEFAULT_REPLICAS = 3
CLEANUP_POLICIES = (
    ("delete", "delete when old"),
    ("compact", "keep the last of each key"),
    ("compact,delete", "keep the last of each key, delete when old"),
)
FRIENDLY = {
    "retention": "retention.ms",
    "cleanup": "cleanup.policy",
    "retention_size": "retention.bytes",
    "max_message": "max.message.bytes",
    "min_insync": "min.insync.replicas",
}
FIELD_OF_ERROR: dict[type[kafka.KafkaError], str] = {
    kafka.TopicAlreadyExists: "name",
    kafka.InvalidTopicException: "name",
    kafka.InvalidPartitions: "partitions",
    kafka.InvalidReplicationFactor: "replicas",
    kafka.InvalidConfig: "extra",
}


@dataclass(frozen=True, slots=True)
class TopicForm:
    """The fields as typed."""

    name: str = ""
    partitions: str = ""
    replicas: str = ""
    retention: str = ""
    cleanup: str = "delete"
    retention_size: str = ""
    max_message: str = ""
    min_insync: str = ""
    extra: str = ""

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> "TopicForm":
        return cls(**{name: fields[name] for name in cls.__dataclass_fields__ if name in fields})


@dataclass(frozen=True, slots=True)
class CheckedForm:
    """What the fields come to: the topic to make, and what is wrong by field ('form' for the whole)."""

    topic: NewTopic
    errors: Mapping[str, str]
    readings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TopicFormPage:
    form: TopicForm
    errors: Mapping[str, str]
    readings: Mapping[str, str]
    cleanup_policies: tuple[tuple[str, str], ...]
    brokers_words: str
    curl: str
    cloned_from: str
    has_extra: bool


@router.get("/clusters/{cluster:name}/topics/new")
async def show_form(visit: Asked) -> Response:
    origin = visit.argument("from")
    form = _cloned(visit.snapshot, origin) if origin in visit.snapshot.topics else _fresh(visit)
    return _answer(visit, form, check(form, visit.snapshot), show_errors=False)


@router.get("/clusters/{cluster:name}/topics/new/check")
async def check_form(visit: Asked) -> Response:
    """The form as typed so far, with errors only beside fields that were filled in."""
    form = TopicForm.of(visit.request.query_params)
    checked = check(form, visit.snapshot)
    typed = {name: said for name, said in checked.errors.items() if name == "form" or getattr(form, name)}
    view = _view(visit, form, checked, typed)
    return visit.part("topic_create/_form.html", view=view)


@router.post("/clusters/{cluster:name}/topics/new")
async def create_topic(visit: Asked) -> Response:
    form = TopicForm.of(visit.form())
    checked = check(form, visit.snapshot)
    if checked.errors:
        return _answer(visit, form, checked, status_code=422)
    try:
        created = await visit.access.admin.create_topic(checked.topic)
    except (kafka.KafkaError, ClusterUnreachable) as error:
        place = FIELD_OF_ERROR.get(type(error), "form") if isinstance(error, kafka.KafkaError) else "form"
        refused = CheckedForm(checked.topic, {place: explain(error)}, checked.readings)
        return _answer(visit, form, refused, status_code=422)
    await visit.settle(lambda snapshot: created.name in snapshot.topics)
    count = created.partition_count if created.partition_count > 0 else checked.topic.partition_count or 1
    return visit.done(
        visit.links.topic(created.name), f"Topic {created.name} was created with {words.plural(count, 'partition')}."
    )


# --- reading the form ----------------------------------------------------------------------------------------------


def check(form: TopicForm, snapshot: ClusterSnapshot) -> CheckedForm:
    """Everything that can be said without asking the cluster."""
    reader = _Reader(form)
    if trouble := topic_name_trouble(form.name.strip(), snapshot.topics):
        reader.errors["name"] = trouble
    partitions = reader.read(
        "partitions", lambda text: parse_count(text, least=1, most=PARTITIONS_MAX, what="partitions")
    )
    replicas = reader.read("replicas", lambda text: parse_count(text, least=1, most=1000, what="replicas"))
    up = len(snapshot.brokers)
    if replicas is not None and up and replicas > up:
        reader.errors["replicas"] = f"Only {words.plural(up, 'broker')} {words.is_are(up)} up."
    configs = reader.configs()
    min_insync = configs.get("min.insync.replicas", "")
    if replicas and min_insync.isdigit() and int(min_insync) > replicas and "min_insync" not in reader.errors:
        reader.errors["min_insync"] = f"With {words.plural(replicas, 'replica')} nobody could write with acks=all."
    topic = NewTopic(form.name.strip(), partitions, replicas, configs)
    return CheckedForm(topic, reader.errors, reader.readings)


class _Reader:
    """Collects what the fields say and what cannot be read."""

    def __init__(self, form: TopicForm) -> None:
        self._form = form
        self.errors: dict[str, str] = {}
        self.readings: dict[str, str] = {}

    def read(self, name: str, parse: Callable[[str], int]) -> int | None:
        """The number a field holds; None when it is empty or cannot be read."""
        text = str(getattr(self._form, name)).strip()
        if not text:
            return None
        try:
            return parse(text)
        except Unreadable as error:
            self.errors[name] = str(error)
            return None

    def configs(self) -> dict[str, str]:
        numbers = {
            "retention": self.read("retention", parse_span_ms),
            "retention_size": self.read("retention_size", parse_size_bytes),
            "max_message": self.read("max_message", parse_size_bytes),
            "min_insync": self.read("min_insync", lambda text: parse_count(text, least=1, most=1000, what="replicas")),
        }
        found = {FRIENDLY[name]: str(number) for name, number in numbers.items() if number is not None}
        if self._form.cleanup in dict(CLEANUP_POLICIES):
            found["cleanup.policy"] = self._form.cleanup
        else:
            self.errors["cleanup"] = "Choose one of the three."
        self.readings = {name: f"{config} = {found[config]}" for name, config in FRIENDLY.items() if config in found}
        return {**found, **self._extra(found)}

    def _extra(self, found: Mapping[str, str]) -> dict[str, str]:
        try:
            extra = parse_config_lines(self._form.extra)
        except Unreadable as error:
            self.errors["extra"] = str(error)
            return {}
        if twice := next((name for name in extra if name in found), None):
            self.errors["extra"] = f"{twice} is set by its own field above."
        return extra


# --- showing the form ----------------------------------------------------------------------------------------------


def _fresh(visit: Visit) -> TopicForm:
    up = len(visit.snapshot.brokers) or 1
    return TopicForm(
        name=visit.argument("name")[:249],
        partitions=str(DEFAULT_PARTITIONS),
        replicas=str(min(DEFAULT_REPLICAS, up)),
        retention="7 days",
    )


def _cloned(snapshot: ClusterSnapshot, origin: str) -> TopicForm:
    """The settings of another topic, those only that were set on it; the name is left to the person."""
    topic = snapshot.topics[origin]
    own = {
        entry.name: entry.value
        for entry in snapshot.topic_configs.get(origin, ())
        if entry.source is ConfigSource.DYNAMIC_TOPIC_CONFIG and entry.value is not None
    }
    extra = [f"{name} = {value}" for name, value in sorted(own.items()) if name not in FRIENDLY.values()]
    return TopicForm(
        partitions=str(len(topic.partitions)),
        replicas=str(topic.replication_factor),
        retention=_friendly(own.get("retention.ms"), say_span),
        cleanup=_policy(own.get("cleanup.policy")),
        retention_size=_friendly(own.get("retention.bytes"), say_size),
        max_message=_friendly(own.get("max.message.bytes"), say_size),
        min_insync=own.get("min.insync.replicas", ""),
        extra="\n".join(extra),
    )


def _friendly(value: str | None, say: Callable[[int], str]) -> str:
    return say(int(value)) if value is not None and value.lstrip("-").isdigit() else ""


def _policy(value: str | None) -> str:
    parts = sorted((value or "delete").replace(" ", "").split(","))
    return ",".join(parts) if ",".join(parts) in dict(CLEANUP_POLICIES) else "delete"


def _view(visit: Visit, form: TopicForm, checked: CheckedForm, errors: Mapping[str, str]) -> TopicFormPage:
    up, known = len(visit.snapshot.brokers), len(visit.snapshot.known_brokers)
    away = f"{words.plural(known, 'broker')} {words.is_are(known)} known, {up} {words.is_are(up)} up."
    return TopicFormPage(
        form=form,
        errors=defaultdict(str, errors),
        readings=defaultdict(str, checked.readings),
        cleanup_policies=CLEANUP_POLICIES,
        brokers_words=away if up < known else f"{words.plural(up, 'broker')} {words.is_are(up)} up.",
        curl=as_curl(visit, checked.topic),
        cloned_from=visit.argument("from") if visit.argument("from") in visit.snapshot.topics else "",
        has_extra=bool(form.extra or form.retention_size or form.max_message or form.min_insync),
    )


def _answer(
    visit: Visit, form: TopicForm, checked: CheckedForm, *, status_code: int = 200, show_errors: bool = True
) -> Response:
    view = _view(visit, form, checked, checked.errors if show_errors else {})
    return visit.page(
        "topic_create/page.html",
        "topic_create/_form.html",
        title="Create topic",
        section="topics",
        view=view,
        status_code=status_code,
    )


def as_curl(visit: Visit, topic: NewTopic) -> str:
    """The same topic by the REST Proxy's v3 API."""
    body: dict[str, object] = {"topic_name": topic.name or "NAME"}
    if topic.partition_count is not None:
        body["partitions_count"] = topic.partition_count
    if topic.replication_factor is not None:
        body["replication_factor"] = topic.replication_factor
    if topic.configs:
        body["configs"] = [{"name": name, "value": value} for name, value in sorted(topic.configs.items())]
    url = f"{visit.rest_url}/v3/clusters/{visit.snapshot.cluster_id}/topics"
    return (
        f"curl -X POST {shlex.quote(url)} \\\n  -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(json.dumps(body))}"
    )
