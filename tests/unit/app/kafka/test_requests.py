import pytest

from app.kafka.connection import NodeUnreachable
from app.kafka.requests import ClusterRequests
from broker.protocol.messages.find_coordinator import Coordinator, FindCoordinatorResponse


async def test_a_coordinator_that_is_forgotten_while_others_are_looked_up_is_asked_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = ClusterRequests("127.0.0.1:1")

    async def answer(request, _answer_type, **_):
        if request.coordinator_keys == ["new"]:
            with pytest.raises(NodeUnreachable):  # somebody else, meanwhile
                await cluster.ask_coordinators(["known"], unreachable)
        return FindCoordinatorResponse(
            coordinators=[Coordinator(key=one, node_id=1) for one in request.coordinator_keys]
        )

    async def unreachable(_node_id, _group_ids):
        raise NodeUnreachable("gone")

    async def named(node_id, group_ids):
        return dict.fromkeys(group_ids, node_id)

    async def once(attempt, **_):
        return await attempt()

    monkeypatch.setattr(cluster, "ask", answer)
    monkeypatch.setattr(cluster, "retry", once)
    assert await cluster.ask_coordinators(["known"], named) == {"known": 1}
    assert await cluster.ask_coordinators(["known", "new"], named) == {"known": 1, "new": 1}
