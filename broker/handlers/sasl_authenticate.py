"""SaslAuthenticate (API key 36): one token of a login.

v1 session lifetime (KIP-368) · v2 flexible.
"""

import asyncio
import logging
from typing import Final

from broker.dispatch import DelayedResponse, RequestContext, handles
from broker.errors import IllegalSaslState, SaslAuthenticationFailed
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.sasl_authenticate import SaslAuthenticateRequest, SaslAuthenticateResponse
from broker.security.login import Login
from broker.security.sasl import LoginRefused, LoginWaits

log = logging.getLogger("broker.security")

LOGIN_WAIT_S_MAX: Final = 3.0
"""How long a login may wait for what it is verified with, such as keys that are being fetched."""


@handles(ApiKey.SASL_AUTHENTICATE, versions=range(3))
def sasl_authenticate(
    request: SaslAuthenticateRequest, context: RequestContext
) -> SaslAuthenticateResponse | DelayedResponse:
    """The server's token. A refusal is answered after `connection.failed.authentication.delay.ms`, to slow guessing."""
    if context.login is None:
        raise IllegalSaslState("this listener has no login")
    token = bytes(request.auth_bytes)
    try:
        return _answer(token, context.login, context)
    except LoginWaits as waits:
        return _when_ready(waits, token, context.login, context)


def _answer(token: bytes, login: Login, context: RequestContext) -> SaslAuthenticateResponse | DelayedResponse:
    now_ms, is_renewal = context.clock.monotonic_ms(), login.principal is not None
    try:
        answer = login.respond(token, now_ms=now_ms, wall_ms=context.clock.now_ms())
    except LoginRefused as refused:
        log.warning("login refused client=%s reason=%s", context.client_host, refused.reason)
        context.stats.count_login(login.asked_mechanism, "failure")
        return _later(
            SaslAuthenticateResponse(error_code=SaslAuthenticationFailed.code, error_message=str(refused)), context
        )
    response = SaslAuthenticateResponse(error_message=None, auth_bytes=answer)
    if login.is_complete and login.principal is not None:
        context.principal = login.principal
        context.stats.count_login(login.mechanism, "renewal" if is_renewal else "success")
        response.session_lifetime_ms = login.lifetime_ms(now_ms)
    return response


def _when_ready(waits: LoginWaits, token: bytes, login: Login, context: RequestContext) -> DelayedResponse:
    """The answer once the login can be judged, or must be with what is known."""
    is_over = False

    def judge() -> None:
        nonlocal is_over
        if is_over:
            return
        is_over = True
        timer.cancel()
        try:
            answer = _answer(token, login, context)
        except Exception as error:
            delayed.answer(error)
            return
        if isinstance(answer, DelayedResponse):
            answer.when_answered(delayed.answer)
        else:
            delayed.answer(answer)

    def abandon() -> None:
        nonlocal is_over
        is_over = True
        timer.cancel()

    delayed = DelayedResponse(on_hurry=judge, on_abandon=abandon)
    timer = asyncio.get_running_loop().call_later(LOGIN_WAIT_S_MAX, judge)
    waits.when_ready(judge)
    return delayed


def _later(response: SaslAuthenticateResponse, context: RequestContext) -> DelayedResponse:
    seconds = context.config.connection_failed_authentication_delay_ms / 1000
    delayed = DelayedResponse(on_hurry=lambda: delayed.answer(response), on_abandon=lambda: timer.cancel())
    timer = asyncio.get_running_loop().call_later(seconds, delayed.answer, response)
    return delayed
