"""ApiVersions: what this broker can be asked, computed from the table of handlers.

v1 throttle time · v3 flexible, client software, features · v4 features whose lowest version is 0.
A request in a version beyond these is answered by `broker.connection`, before it can be decoded.
"""

from __future__ import annotations

import re
from typing import Final

from broker.dispatch import RequestContext, handles, served_apis
from broker.errors import InvalidRequest
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.api_versions import (
    ApiVersion,
    ApiVersionsRequest,
    ApiVersionsResponse,
    FinalizedFeatureKey,
    SupportedFeatureKey,
)

MIN_ZERO_VERSION: Final = 4
METADATA_VERSION: Final = "metadata.version"
METADATA_VERSION_MIN: Final = 7
METADATA_VERSION_MAX: Final = 30
FEATURES: Final = {
    METADATA_VERSION: range(METADATA_VERSION_MIN, METADATA_VERSION_MAX + 1),
    "group.version": range(2),
    "share.version": range(2),
    "transaction.version": range(3),
}
"""Features with their levels, of which the last is in force.

What Apache Kafka 4.3 announces. Those that clients act upon are announced together with the APIs they stand for, never
without: group.version with KIP-848, share.version with KIP-932, transaction.version 2 with Produce 12,
TxnOffsetCommit 5 and EndTxn 5."""

_SOFTWARE: Final = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?")


@handles(ApiKey.API_VERSIONS, versions=range(5))
def api_versions(request: ApiVersionsRequest, context: RequestContext) -> ApiVersionsResponse:
    """Name every API with its versions, and the features. Raises InvalidRequest for odd software names (KIP-511)."""
    if context.api_version >= 3 and not (
        _SOFTWARE.fullmatch(request.client_software_name) and _SOFTWARE.fullmatch(request.client_software_version)
    ):
        raise InvalidRequest("client software name and version must be letters, digits, dots and dashes")
    return ApiVersionsResponse(
        api_keys=[
            ApiVersion(api_key=api.api_key, min_version=api.advertised[0], max_version=api.advertised[-1])
            for _, api in sorted(served_apis.items())
        ],
        supported_features=[
            SupportedFeatureKey(name=name, min_version=levels[0], max_version=levels[-1])
            for name, levels in FEATURES.items()
            if levels[0] > 0 or context.api_version >= MIN_ZERO_VERSION
        ],
        finalized_features_epoch=1,
        finalized_features=[
            FinalizedFeatureKey(name=name, min_version_level=levels[-1], max_version_level=levels[-1])
            for name, levels in FEATURES.items()
        ],
    )
