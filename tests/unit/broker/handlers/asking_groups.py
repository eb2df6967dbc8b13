"""How the tests of the group APIs ask: every answer goes through the wire format of the version asked."""

from __future__ import annotations

from broker.dispatch import DelayedResponse
from broker.groups import Now
from broker.protocol.codec import decode, encode
from broker.protocol.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from broker.protocol.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment

SUBSCRIPTION = b"\0\0\0\0\0\1\0\1t\xff\xff\xff\xff"


def join_request(member_id="", **fields) -> JoinGroupRequest:
    request = JoinGroupRequest(
        group_id="g",
        session_timeout_ms=10_000,
        rebalance_timeout_ms=10_000,
        member_id=member_id,
        protocol_type="consumer",
        protocols=[JoinGroupRequestProtocol(name="range", metadata=SUBSCRIPTION)],
    )
    for name, value in fields.items():
        setattr(request, name, value)
    return request


class GroupApis:
    """The group APIs of a broker with one topic `t` of two partitions."""

    def __init__(self, broker) -> None:
        self.broker = broker
        self.topic = broker.topics.create("t", partition_count=2)
        broker.context.client_id, broker.context.client_host = "app", "127.0.0.1"
        broker.groups.load(Now.by(broker.clock))

    def ask(self, request, version=None):
        """The answer as a client reads it; None while it waits."""
        version = request.VERSIONS[-1] if version is None else version
        answer = self.broker.ask(request, version)
        if isinstance(answer, DelayedResponse):
            answers: list = []
            answer.when_answered(answers.append)
            if not answers:
                return None
            (answer,) = answers
        return decode(type(answer), version, encode(answer, version))

    def join(self, member_id="", version=9, **fields):
        return self.ask(join_request(member_id, **fields), version)

    def waiting_join(self) -> DelayedResponse:
        """A new member's request that has to wait for the others."""
        waiting = self.broker.ask(join_request(), 3)
        assert isinstance(waiting, DelayedResponse)
        assert not waiting.is_answered
        return waiting

    def sync(self, member_id, generation_id, version=5, **fields):
        request = SyncGroupRequest(
            group_id="g",
            member_id=member_id,
            generation_id=generation_id,
            protocol_type="consumer",
            protocol_name="range",
            assignments=[SyncGroupRequestAssignment(member_id=member_id, assignment=b"A")],
        )
        for name, value in fields.items():
            setattr(request, name, value)
        return self.ask(request, version)

    def member(self):
        """A Stable group `g` of one member in generation 1: its id."""
        member_id = self.join(version=3).member_id
        assert self.sync(member_id, 1).error_code == 0
        return member_id
