"""What can be set of the REST Proxy; app.settings maps the user's settings to this value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RestSettings:
    """Limits and defaults; where Confluent's proxy has the same setting, its name is kept with underscores."""

    advertised_url: str = ""
    """Scheme and authority of the URLs in answers, `http://rest.example:8082`; empty takes them from the request."""

    resource_name_authority: str = ""
    """Authority of v3's `crn://` names; `confluent.resource.name.authority`."""

    request_max_bytes: int = 104_857_600
    """Largest request body after decompression; of a stream of records the largest single one."""

    response_gzip_min_bytes: int = 1_024
    """Smallest JSON answer that is compressed for a client that accepts gzip."""

    consumer_instances_max: int = 1_000
    """Consumer instances at one time, over all groups; the next one is refused with 503 / 50301."""

    consumer_instance_timeout_ms: int = 300_000
    """An instance without a request for this long leaves its group and is removed."""

    consumer_request_timeout_ms: int = 1_000
    """How long a GET of records waits, unless its instance was created with a time of its own."""

    consumer_request_max_bytes: int = 67_108_864
    """Most bytes of keys and values in one answer to a GET of records."""

    produce_batch_entries_max: int = 10
    """Entries of one v3 `records:batch`; `api.v3.produce.batch.maximum.entries`."""

    produce_stream_duration_ms: int = 86_400_000
    """How long one v3 stream of records stays open; `streaming.connection.max.duration.ms`."""

    produce_stream_idle_ms: int = 30_000
    """How long a v3 stream of records may be silent before its first record, or inside of one; `idle.timeout.ms`."""

    produce_stream_pending_max: int = 64
    """Chunks of a stream whose receipts are not written yet; then no more of the request is read."""

    produce_stream_pending_max_bytes: int = 4_194_304
    """Keys and values of a stream whose receipts are not written yet; then no more of the request is read."""

    api_v2_enable: bool = True
    api_v3_enable: bool = True
    """Whether that version is served at all; `api.v2.enable`, `api.v3.enable`."""

    api_endpoints_allowlist: str = ""
    """Names of endpoints, separated by commas, `*` at the end for all that begin so; empty serves them all."""

    api_endpoints_blocklist: str = ""
    """Those that are not served, whatever the list above says."""
