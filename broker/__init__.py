"""A Kafka broker in pure Python: `python -m broker` runs a whole one."""
