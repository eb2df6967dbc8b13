"""Share groups (KIP-932): what each group has done with each partition, in memory and in `__share_group_state`.

Who is in a group stands in `broker.groups`; `Shares` here keeps the delivery of records.
"""

from broker.share.group_configs import ShareConfigs
from broker.share.share_sessions import ShareSessions
from broker.share.shares import Share, ShareKey, Shares
from broker.share.state_log import SHARE_STATE_TOPIC, ShareStateLog

__all__ = [
    "SHARE_STATE_TOPIC",
    "Share",
    "ShareConfigs",
    "ShareKey",
    "ShareSessions",
    "ShareStateLog",
    "Shares",
]
