"""A client connection against servers that behave badly."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from app.kafka.connection import ClusterConnections, ConnectionSettings, NodeConnection, NodeUnreachable
from app.kafka.ports import BrokerNode, ClusterUnreachable
from broker.errors import UnsupportedVersion
from broker.protocol.api_keys import ApiKey
from broker.protocol.frames import decode_request_header, response_frame
from broker.protocol.messages.api_versions import ApiVersion, ApiVersionsResponse
from broker.protocol.messages.delete_groups import DeleteGroupsRequest
from broker.protocol.messages.list_groups import ListedGroup, ListGroupsRequest, ListGroupsResponse

SETTINGS = ConnectionSettings(connect_timeout_s=0.5, request_timeout_s=0.5)
Answer = Callable[[int, int, int], Awaitable[bytes]]


class Server:
    """A Kafka server of a few lines: answers ApiVersions by itself, all else by `answer`."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.versions: list[int] = []
        self.answer: Answer = self.list_groups
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)

    async def list_groups(self, api_key: int, version: int, correlation_id: int) -> bytes:
        answer = ListGroupsResponse(groups=[ListedGroup(group_id=f"g{version}")])
        return b"".join(response_frame(ApiKey.LIST_GROUPS, version, correlation_id, answer))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while True:
                frame = await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
                header = decode_request_header(frame)
                if header.api_key == ApiKey.API_VERSIONS:
                    keys = [ApiVersion(16, 0, 4), ApiVersion(18, 0, 4)]
                    served = response_frame(18, header.api_version, header.correlation_id, ApiVersionsResponse(0, keys))
                    writer.writelines(served)
                else:
                    self.versions.append(header.api_version)
                    writer.write(await self.answer(header.api_key, header.api_version, header.correlation_id))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def connections(server) -> AsyncIterator[ClusterConnections]:
    connections = ClusterConnections(f"127.0.0.1:{server.port}", SETTINGS)
    yield connections
    await connections.close()


async def test_the_highest_version_of_both_is_spoken(server, connections):
    answer = await connections.request(ListGroupsRequest())
    assert answer.groups[0].group_id == "g4"
    await connections.request(ListGroupsRequest(), version_max=2)
    assert server.versions == [4, 2]


async def test_an_api_that_is_not_served_is_an_error_of_kafkas(connections):
    with pytest.raises(UnsupportedVersion, match="DeleteGroups"):
        await connections.request(DeleteGroupsRequest())


async def test_overlapping_requests_get_their_own_answers(server, connections):
    connection = await connections.to_any()
    answers = await asyncio.gather(
        *(connection.request(ListGroupsRequest(), version_max=number % 5) for number in range(50))
    )
    assert [one.groups[0].group_id for one in answers] == [f"g{number % 5}" for number in range(50)]
    assert server.connections == 1


async def test_an_answer_in_single_bytes_is_put_together(server, connections):
    async def slowly(api_key: int, version: int, correlation_id: int) -> bytes:
        frame = await server.list_groups(api_key, version, correlation_id)
        (writer,) = server._writers
        for at in range(len(frame) - 1):
            writer.write(frame[at : at + 1])
            await asyncio.sleep(0)
        return frame[-1:]

    server.answer = slowly
    assert (await connections.request(ListGroupsRequest())).groups


async def test_an_idle_connection_that_broke_is_replaced_unseen(server, connections):
    await connections.request(ListGroupsRequest())
    for writer in server._writers:
        writer.transport.abort()
    assert (await connections.request(ListGroupsRequest())).groups
    assert server.connections == 2


async def test_a_server_that_is_silent_is_given_up_in_time(server, connections):
    async def never(*_: int) -> bytes:
        await asyncio.sleep(60)
        return b""

    server.answer = never
    connection = await connections.to_any()
    with pytest.raises(NodeUnreachable, match=r"did not answer ListGroupsRequest within 0\.5 s"):
        await connection.request(ListGroupsRequest())
    assert not connection.is_open


@pytest.mark.parametrize(
    "rubbish", [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x00"], ids=["negative", "huge", "empty"]
)
async def test_a_size_that_cannot_be_ends_the_connection(server, connections, rubbish):
    async def answer(*_: int) -> bytes:
        return rubbish

    server.answer = answer
    connection = await connections.to_any()
    with pytest.raises(NodeUnreachable, match="announced"):
        await connection.request(ListGroupsRequest())


async def test_an_answer_that_cannot_be_read_ends_the_connection(server, connections):
    async def answer(api_key: int, version: int, correlation_id: int) -> bytes:
        return b"\x00\x00\x00\x06" + correlation_id.to_bytes(4, "big") + b"\x00\x7f"

    server.answer = answer
    connection = await connections.to_any()
    with pytest.raises(NodeUnreachable, match="unreadable"):
        await connection.request(ListGroupsRequest())
    assert not connection.is_open


async def test_a_cancelled_request_leaves_the_connection_usable(server, connections):
    connection = await connections.to_any()
    task = asyncio.create_task(connection.request(ListGroupsRequest()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await connection.request(ListGroupsRequest())).groups


async def test_a_dead_node_is_left_alone_for_a_while_and_then_tried_again(server, connections):
    await server.stop()
    with pytest.raises(ClusterUnreachable, match="refused"):
        await connections.request(ListGroupsRequest())
    await server.start()
    with pytest.raises(ClusterUnreachable, match="refused"):
        await connections.request(ListGroupsRequest())
    await asyncio.sleep(0.25)
    assert (await connections.request(ListGroupsRequest())).groups


async def test_any_node_that_answers_will_do(server):
    connections = ClusterConnections(f"127.0.0.1:1,127.0.0.1:{server.port}", SETTINGS)
    for _ in range(3):
        assert (await connections.request(ListGroupsRequest())).groups
    await connections.close()


async def test_connections_to_addresses_no_longer_named_are_closed(server):
    connections = ClusterConnections("127.0.0.1:1", SETTINGS)
    connections.learn([BrokerNode(1, "127.0.0.1", server.port)])
    connection: NodeConnection = await connections.to_node(1)
    connections.learn([])
    assert not connection.is_open
    with pytest.raises(NodeUnreachable, match="not among"):
        await connections.to_node(1)


async def test_lanes_have_connections_of_their_own(server, connections):
    connections.learn([BrokerNode(1, "127.0.0.1", server.port)])
    first, second = await connections.to_node(1), await connections.to_node(1, lane="fetch")
    assert first is not second
    assert await connections.to_node(1) is first
