"""SaslHandshake (API key 17): the client chooses how to log in. v1 tokens come by SaslAuthenticate (KIP-152)."""

from broker.dispatch import RequestContext, handles
from broker.errors import IllegalSaslState, KafkaError
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.sasl_handshake import SaslHandshakeRequest, SaslHandshakeResponse


@handles(ApiKey.SASL_HANDSHAKE, versions=range(2))
def sasl_handshake(request: SaslHandshakeRequest, context: RequestContext) -> SaslHandshakeResponse:
    """Begin a login; an unknown mechanism is told those that are served. ILLEGAL_SASL_STATE where nobody logs in."""
    login = context.login
    if login is None:
        return SaslHandshakeResponse(error_code=IllegalSaslState.code)
    response = SaslHandshakeResponse(mechanisms=list(login.mechanisms))
    try:
        login.begin(request.mechanism, version=context.api_version, now_ms=context.clock.monotonic_ms())
    except KafkaError as error:
        response.error_code = error.code
        if isinstance(error, IllegalSaslState):
            response.mechanisms = []
    return response
