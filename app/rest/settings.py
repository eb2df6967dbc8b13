"""What can be set of the REST Proxy; app.settings maps the user's settings to this value."""

from dataclasses import dataclass

RESPONSE_GZIP_MIN_BYTES = 1_024


@dataclass(frozen=True, slots=True)
class RestSettings:
    """Limits and defaults; where Confluent's proxy has the same setting, its name is kept with underscores."""

    advertised_listeners: tuple[str, ...] = ()
    """Addresses of the proxy as clients see it, `https://rest.example`; none takes the one that was called."""

    server_id: str = ""
    """Stands in the names of consumer instances that did not bring one; `id`."""

    resource_name_authority: str = ""
    """Authority of v3's `crn://` names; `confluent.resource.name.authority`."""

    request_max_bytes: int = 104_857_600
    """Largest request body after decompression; of a stream of records the largest single one."""

    null_request_body_always_publishes_empty_record: bool = False
    """A null key or value is Kafka's null, whatever its schema says of nulls."""

    response_gzip_min_bytes: int = RESPONSE_GZIP_MIN_BYTES
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

    idempotency_ms: int = 600_000
    """How long the answer to a produce request with an `Idempotency-Key` is kept."""

    idempotency_keys_max: int = 100_000
    """Answers kept at one time; the oldest goes when there is one more."""

    idempotency_bytes_max: int = 67_108_864
    """Bytes of answers kept at one time, about; the oldest go when there are more."""

    api_v2_enable: bool = True
    api_v3_enable: bool = True
    """Whether that version is served at all; `api.v2.enable`, `api.v3.enable`."""

    api_endpoints_allowlist: str = ""
    """Names of endpoints, separated by commas, `*` at the end for all that begin so; empty serves them all."""

    api_endpoints_blocklist: str = ""
    """Those that are not served, whatever the list above says."""

    def advertised_url_for(self, scheme: str) -> str:
        """The advertised address of this scheme, else the first, else ''."""
        for listener in self.advertised_listeners:
            if listener.startswith(f"{scheme}://"):
                return listener
        return self.advertised_listeners[0] if self.advertised_listeners else ""
