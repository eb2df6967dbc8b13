"""APIs as Kafka's metrics call them."""


def request_name(api_name: str) -> str:
    """`OFFSET_COMMIT` as `OffsetCommit`."""
    return "".join(word.capitalize() for word in api_name.split("_"))
