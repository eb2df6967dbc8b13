"""What cannot be undone: deleting the records of a topic up to a point, and deleting the topic."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Response

from app.cluster.topic_summaries import TopicSummary
from app.control_center import words
from app.control_center.errors import explain
from app.control_center.forms import Unreadable, parse_count
from app.control_center.topic_head import TopicHead, build_head, find_topic
from app.control_center.visit import Asked, Visit
from app.kafka.ports import ClusterUnreachable, TopicPartition
from broker.errors import KafkaError

router = APIRouter()

HIGH_WATERMARK = -1
MOST_OFFSET = 2**63 - 1


@dataclass(frozen=True, slots=True)
class PartitionChoice:
    value: str
    words: str


@dataclass(frozen=True, slots=True)
class SettingsPage:
    """errors by form and field: 'purge', 'purge_confirm', 'before', 'delete', 'delete_confirm'."""

    head: TopicHead
    what_goes: str
    readers: tuple[str, ...]
    reader_words: str
    partitions: tuple[PartitionChoice, ...]
    purge_href: str
    delete_href: str
    errors: Mapping[str, str]
    typed: Mapping[str, str]


@router.get("/clusters/{cluster:name}/topics/{topic:name}/settings")
async def show_settings(visit: Asked) -> Response:
    topic = find_topic(visit, visit.request.path_params["topic"])
    return _answer(visit, topic, {}, {})


@router.post("/clusters/{cluster:name}/topics/{topic:name}/delete")
@router.delete("/clusters/{cluster:name}/topics/{topic:name}")
async def delete_topic(visit: Asked) -> Response:
    topic = find_topic(visit, visit.request.path_params["topic"])
    form = visit.form()
    if form.get("confirm") != topic.name:
        return _answer(visit, topic, {"delete_confirm": "This is not the name of the topic."}, form, status_code=422)
    try:
        await visit.access.admin.delete_topic(topic.name)
    except (KafkaError, ClusterUnreachable) as error:
        return _answer(visit, topic, {"delete": explain(error)}, form, status_code=422)
    await visit.settle(lambda snapshot: topic.name not in snapshot.topics)
    return visit.done(visit.links.topics(), f"Topic {topic.name} was deleted.")


@router.post("/clusters/{cluster:name}/topics/{topic:name}/delete-records")
async def delete_records(visit: Asked) -> Response:
    topic = find_topic(visit, visit.request.path_params["topic"])
    form = visit.form()
    errors: dict[str, str] = {}
    wanted = _wanted(topic, form, errors)
    if form.get("confirm") != topic.name:
        errors["purge_confirm"] = "This is not the name of the topic."
    if errors:
        return _answer(visit, topic, errors, form, status_code=422)
    try:
        starts = await visit.access.admin.delete_records(wanted)
    except (KafkaError, ClusterUnreachable) as error:
        return _answer(visit, topic, {"purge": explain(error)}, form, status_code=422)
    gone = sum(
        max(0, start - before.log_start_offset)
        for partition, start in starts.items()
        if (before := visit.snapshot.offsets.get(partition))
    )
    await visit.settle()
    return visit.done(
        visit.links.topic(topic.name),
        f"{words.plural(gone, 'record')} of {topic.name} {'was' if gone == 1 else 'were'} deleted.",
    )


def _wanted(topic: TopicSummary, form: Mapping[str, str], errors: dict[str, str]) -> dict[TopicPartition, int]:
    """Which partitions up to where: all of them to their ends, or one before an offset."""
    chosen = form.get("partition", "")
    if chosen == "":
        return {TopicPartition(topic.name, number): HIGH_WATERMARK for number in range(topic.partition_count)}
    try:
        number = parse_count(chosen, least=0, most=topic.partition_count - 1, what="partitions")
        text = form.get("before", "").strip()
        before = parse_count(text, least=0, most=MOST_OFFSET, what="records") if text else HIGH_WATERMARK
    except Unreadable:
        errors["before"] = "Write an offset, or leave it empty for all records."
        return {}
    return {TopicPartition(topic.name, number): before}


def _answer(
    visit: Visit, topic: TopicSummary, errors: Mapping[str, str], typed: Mapping[str, str], *, status_code: int = 200
) -> Response:
    view = _view(visit, topic, errors, typed)
    return visit.page(
        "topic_settings/page.html",
        "topic_settings/_forms.html",
        title=f"Settings of {topic.name}",
        section="topics",
        view=view,
        status_code=status_code,
    )


def _view(visit: Visit, topic: TopicSummary, errors: Mapping[str, str], typed: Mapping[str, str]) -> SettingsPage:
    readers = tuple(group.group.group_id or "(no name)" for group in topic.groups if group.group.members)
    records = (
        "an unknown number of records" if topic.record_count is None else words.plural(topic.record_count, "record")
    )
    size = "" if topic.size_bytes is None else f", {words.size(topic.size_bytes)}"
    name_of = {"": "All partitions, all records"} | {str(n): f"Partition {n}" for n in range(topic.partition_count)}
    return SettingsPage(
        head=build_head(visit, topic, "settings"),
        what_goes=f"{records}{size} in {words.plural(topic.partition_count, 'partition')}",
        readers=readers,
        reader_words=f"{words.listed(list(readers))} {words.is_are(len(readers))} reading it now." if readers else "",
        partitions=tuple(PartitionChoice(value, said) for value, said in name_of.items()),
        purge_href=visit.links.topic(topic.name, "delete-records"),
        delete_href=visit.links.topic(topic.name, "delete"),
        errors={
            name: errors.get(name, "") for name in ("purge", "purge_confirm", "before", "delete", "delete_confirm")
        },
        typed={name: typed.get(name, "") for name in ("partition", "before", "confirm")},
    )
