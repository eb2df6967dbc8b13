"""UpdateFeatures (API key 57): feature levels are fixed here; asking for the present ones succeeds (KIP-584)."""

from broker.dispatch import RequestContext, handles
from broker.errors import InvalidUpdateVersion, KafkaError
from broker.handlers.api_versions import FEATURES
from broker.protocol.api_keys import ApiKey
from broker.protocol.messages.update_features import (
    FeatureUpdateKey,
    UpdatableFeatureResult,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)

UPGRADE_TYPES = (1, 2, 3)
"""Upgrade, safe downgrade, unsafe downgrade (v1+)."""


@handles(ApiKey.UPDATE_FEATURES, versions=range(3))
def update_features(request: UpdateFeaturesRequest, context: RequestContext) -> UpdateFeaturesResponse:
    """Refuse all updates if one of them would change anything.

    v1 validate only, upgrade types (KIP-778) · v2 no results per feature.
    """
    try:
        for update in request.feature_updates:
            _check(update, context.config.node_id)
    except KafkaError as error:
        reason = f"The update failed for all features since the following feature had an error: {error}"
        return UpdateFeaturesResponse(error_code=error.code, error_message=reason)
    # Kafka says so in words, too (measured).
    results = [UpdatableFeatureResult(update.feature, error_message="NONE") for update in request.feature_updates]
    return UpdateFeaturesResponse(error_message=None, results=results)


def _check(update: FeatureUpdateKey, node_id: int) -> None:
    feature, level = update.feature, update.max_version_level
    invalid = f"Invalid update version {level} for feature {feature}."
    levels = FEATURES.get(feature)
    if levels is None:
        raise InvalidUpdateVersion(f"{invalid} Local controller {node_id} does not support this feature.")
    if update.upgrade_type not in UPGRADE_TYPES:
        raise InvalidUpdateVersion(f"{invalid} The controller does not support the given upgrade type.")
    if level not in levels:
        raise InvalidUpdateVersion(
            f"{invalid} Local controller {node_id} only supports versions {levels[0]}-{levels[-1]}"
        )
    if level != levels[-1]:
        # Differs from Kafka: no downgrade, safe or not, because nothing here depends on the level.
        raise InvalidUpdateVersion(f"{invalid} Refusing to perform the requested downgrade from {levels[-1]}.")
