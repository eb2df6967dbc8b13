"""SaslAuthenticate (API key 36): one token of a login.

v1 session lifetime (KIP-368) · v2 flexible.
"""

import asyncio
import logging

from broker.dispatch import DelayedResponse, RequestContext, handles
from broker.errors import IllegalSaslState, SaslAuthenticationFailed
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.sasl_authenticate import SaslAuthenticateRequest, SaslAuthenticateResponse
from broker.security.sasl import LoginRefused

log = logging.getLogger("broker.security")


@handles(ApiKey.SASL_AUTHENTICATE, versions=range(3))
def sasl_authenticate(
    request: SaslAuthenticateRequest, context: RequestContext
) -> SaslAuthenticateResponse | DelayedResponse:
    """The server's token. A refusal is answered after `connection.failed.authentication.delay.ms`, to slow guessing."""
    login, now_ms = context.login, context.clock.monotonic_ms()
    if login is None:
        raise IllegalSaslState("this listener has no login")
    try:
        answer = login.respond(request.auth_bytes, now_ms=now_ms, wall_ms=context.clock.now_ms())
    except LoginRefused as refused:
        log.warning("login refused client=%s reason=%s", context.client_host, refused)
        return _later(
            SaslAuthenticateResponse(error_code=SaslAuthenticationFailed.code, error_message=str(refused)), context
        )
    response = SaslAuthenticateResponse(error_message=None, auth_bytes=answer)
    if login.is_complete and login.principal is not None:
        context.principal = login.principal
        response.session_lifetime_ms = login.lifetime_ms(now_ms)
    return response


def _later(response: SaslAuthenticateResponse, context: RequestContext) -> DelayedResponse:
    seconds = context.config.connection_failed_authentication_delay_ms / 1000
    delayed = DelayedResponse(on_hurry=lambda: delayed.answer(response), on_abandon=lambda: timer.cancel())
    timer = asyncio.get_running_loop().call_later(seconds, delayed.answer, response)
    return delayed
