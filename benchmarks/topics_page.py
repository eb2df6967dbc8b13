"""The topics page with 1,000 topics of 3 partitions: time to the first byte, and bytes until it is drawn."""

import gzip
import http.client
import json
import re
import time

from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.brokers import machine
from benchmarks.start import platform
from benchmarks.table import median, percentile, table

TOPIC_COUNT = 1_000
PARTITION_COUNT = 3
REQUESTS = 300


def create_topics(bootstrap_servers: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    wanted = [NewTopic(f"team{number % 20}.events-{number:04d}", PARTITION_COUNT, 1) for number in range(TOPIC_COUNT)]
    for start in range(0, TOPIC_COUNT, 200):
        for future in admin.create_topics(wanted[start : start + 200]).values():
            future.result(60)


def first_byte_seconds(connection: http.client.HTTPConnection, path: str) -> float:
    started = time.perf_counter()
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    seconds = time.perf_counter() - started
    assert answer.status == 200
    answer.read()
    return seconds


def body(connection: http.client.HTTPConnection, path: str) -> tuple[bytes, int]:
    """The content and its size on the wire."""
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    sent = answer.read()
    assert answer.status == 200, path
    return (gzip.decompress(sent) if answer.headers["Content-Encoding"] == "gzip" else sent), len(sent)


def main() -> None:
    with platform() as (ready, _):
        create_topics(str(ready["kafka"]))
        address = str(ready["http"]).removeprefix("http://")
        connection = http.client.HTTPConnection(address)
        page = "/ui/clusters/local/topics"
        while len(json.loads(body(connection, f"{page}?format=json")[0])) < TOPIC_COUNT:
            time.sleep(0.5)
        time.sleep(15)  # a few rounds of the sampler with everything in place
        seconds = [first_byte_seconds(connection, page) for _ in range(REQUESTS)]
        search = [first_byte_seconds(connection, f"{page}?q=team7") for _ in range(REQUESTS)]
        html, html_bytes = body(connection, page)
        linked = set(re.findall(r'(?:src|href)="(/ui/static/[^"]+)"', html.decode()))
        counted = [path for path in linked if "plotly.min" not in path and "plotly-basic" not in path]
        total = html_bytes + sum(body(connection, path.split("#")[0])[1] for path in counted if ".woff" not in path)
    rows: list[list[object]] = [
        ["first byte, median, ms", median(seconds) * 1000, 30],
        ["first byte, p95, ms", percentile(seconds, 95) * 1000, "–"],
        ["search, first byte, median, ms", median(search) * 1000, "–"],
        ["HTML, gzip, KB", html_bytes / 1000, 20],
        ["all resources, gzip, KB, without fonts and plotly", total / 1000, 150],
    ]
    print(machine() + "\n")
    print(table(f"Topics page, {TOPIC_COUNT:,} topics × {PARTITION_COUNT}", ["what", "measured", "bound"], rows))


if __name__ == "__main__":
    main()
