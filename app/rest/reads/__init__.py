"""Stateless reads, ours and off the compatible paths: records by offset, time or from the end, and a live tail."""
