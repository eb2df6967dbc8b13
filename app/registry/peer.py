"""HTTP to another node of the registry: the one that writes."""

import urllib.error
import urllib.request

TIMEOUT_S = 30.0


def exchange(request: urllib.request.Request) -> tuple[int, bytes, str]:
    """Status, body and content type, of a refusal too; blocks. Raises OSError, ValueError."""
    # No proxy of the environment: the other node is on our own network.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            return answer.status, answer.read(), answer.headers.get("Content-Type", "")
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers.get("Content-Type", "")
