"""Connections to a broker without a network, one that takes shortcuts and one that never does."""

import uuid

import pytest

import broker.shortcuts  # noqa: F401  registers them
from broker.connection import Connection, Pending, Routes
from broker.dispatch import BadRequest, served_apis
from broker.protocol.api_keys import ApiKey
from broker.protocol.codec import decode, response_header_version, response_type
from broker.protocol.frames import request_frame
from tests.unit.broker.handlers.conftest import HandlerBroker


class Client:
    """Asks one broker over one connection, and counts what reaches the handlers."""

    def __init__(self, folder, *, takes_shortcuts=True, **settings):
        folder.mkdir()
        self.broker = HandlerBroker(folder, {name.replace("_", "."): value for name, value in settings.items()})
        self.context, self.topics = self.broker.context, self.broker.topics
        self.routes = Routes()
        self.connection = Connection(self.context, self.routes)
        self.handled = 0
        self._takes_shortcuts = takes_shortcuts

    def create(self, topic, **settings):
        """Create a topic whose id is the same at both brokers."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(uuid, "uuid4", lambda: uuid.uuid5(uuid.NAMESPACE_DNS, topic))
            self.topics.create(topic, **settings)

    def frame(self, request, version):
        return request_frame(request.API_KEY, version, 77, "tester", request)[4:]

    def ask(self, request, version):
        """The response, decoded."""
        answer = self.ask_bytes(self.frame(request, version))
        body_at = 9 if response_header_version(request.API_KEY, version) else 8
        return decode(response_type(request.API_KEY), version, answer, body_at)

    def ask_bytes(self, frame):
        """The whole answer, or how else it ended."""
        key, version = int.from_bytes(frame[:2], "big"), int.from_bytes(frame[2:4], "big")
        self._prepare(key, version)
        try:
            answer = self.connection.answer(memoryview(bytearray(frame)))
        except BadRequest as error:
            return f"refused: {error}"
        if isinstance(answer, Pending):
            answered = []
            answer.response.when_answered(answered.append)
            self.broker.logs.flush_dirty(self.broker.clock.now_ms())
            answer = self.connection.encode(answer.route, answer.correlation_id, answered[0], 0)
        return b"".join(answer) if answer is not None else None

    def _prepare(self, key, version):
        if key << 16 | version in self.routes:
            return
        api = served_apis[ApiKey(key)]
        route = self.connection._find_route(key, version)

        def counted(request, context):
            self.handled += 1
            return api.handler(request, context)

        shortcut = route.shortcut if self._takes_shortcuts else None
        self.routes[key << 16 | version] = route._replace(handler=counted, shortcut=shortcut)


@pytest.fixture
def clients(tmp_path):
    """A client with shortcuts, and one without at a broker of its own."""
    both = Client(tmp_path / "short"), Client(tmp_path / "long", takes_shortcuts=False)
    yield both
    for each in both:
        each.broker.logs.close()


@pytest.fixture
def client(clients):
    return clients[0]
