"""REST API v2: metadata, produce, consumer instances; answers in `application/vnd.kafka.v2+json`."""
