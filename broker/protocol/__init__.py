"""Kafka's wire format as pure functions: bytes to messages and back, without sockets, clocks or state."""
