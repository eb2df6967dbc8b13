"""Telling another Kafka all that is not in the segments: `caudal export --bootstrap-servers`."""
