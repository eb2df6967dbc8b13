"""Is the cluster there? Asked when a consumer finds nothing, which alone cannot be told from a cluster that is away."""

import asyncio

from app.kafka.ports import ClusterAdmin, ClusterUnreachable

ANSWER_KEPT_S = 2.0
TIMEOUT_S = 3.0


class ClusterProbe:
    """One question for all who ask within ANSWER_KEPT_S."""

    def __init__(self, admin: ClusterAdmin) -> None:
        self._admin = admin
        self._asking = asyncio.Lock()
        self._asked_at_s = float("-inf")
        self._failure = ""

    async def check(self) -> None:
        """Raises ClusterUnreachable when no broker answers in time."""
        async with self._asking:
            loop = asyncio.get_running_loop()
            if loop.time() - self._asked_at_s > ANSWER_KEPT_S:
                self._failure = await self._ask()
                self._asked_at_s = loop.time()
        if self._failure:
            raise ClusterUnreachable(self._failure)

    async def _ask(self) -> str:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._admin.metadata()
        except ClusterUnreachable as error:
            return str(error)
        except TimeoutError:
            return f"no broker of the cluster answered within {TIMEOUT_S:g} s"
        return ""
