"""What the REST Proxy holds in memory: idle consumer instances, one large produce request, one long stream.

All figures are of the web process of a `caudal start`. Instances: 1,000 of v2, every one in a group of its own, each
subscribed, read once and then left alone. Requests: 50 MiB of JSON in one POST, as sent (or, for gzip, as inflated),
each kind to a platform of its own; the peak is the kernel's (VmHWM, set back before), so nothing that lasted for a
moment is missed. Stream: v3 records on one connection, after the first hundred thousand and after two million.
"""

import asyncio
import base64
import gzip
import json
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import psutil
import uvloop

from benchmarks.brokers import machine
from benchmarks.rest_produce import existing_topic, json_value
from benchmarks.start import platform
from benchmarks.table import table

TOPIC = "rest-memory-benchmark"
INSTANCES = 1_000
INSTANCES_BOUND_MIB = 200
INSTANCES_AT_ONCE = 8
SETTLED_S = 3.0
REQUEST_BYTES = 50 << 20
REQUEST_BOUND = 4.0
RUNS = 3
STREAM_RECORDS_FIRST = 100_000
STREAM_RECORDS = 2_000_000
STREAM_CHUNK_RECORDS = 100
STREAM_WINDOW = 2_000
FIRST_RECORD = b'{"records":[{"value":"a2Fma2E="}]}'
V2_JSON = "application/vnd.kafka.v2+json"
MEDIA_TYPE = "application/vnd.kafka.{}.v2+json"


def rss_mib(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 2**20


def call(method: str, url: str, body: bytes | None = None, **headers: str) -> object:
    """The JSON of the answer. Raises HTTPError unless it is 2xx."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, body, named, method=method)
    answer = urllib.request.urlopen(request).read()
    return json.loads(answer) if answer else None


# --- idle instances ------------------------------------------------------------------------------------------------


def read_once(rest: str, number: int) -> None:
    """One more instance in a group of its own; subscribed, and read once."""
    config = {"format": "binary", "auto.offset.reset": "earliest"}
    created = call("POST", f"{rest}/consumers/idle-{number}", json.dumps(config).encode(), Content_Type=V2_JSON)
    url = cast(dict[str, str], created)["base_uri"]
    call("POST", f"{url}/subscription", json.dumps({"topics": [TOPIC]}).encode(), Content_Type=V2_JSON)
    while not call("GET", f"{url}/records", Accept=MEDIA_TYPE.format("binary")):
        pass  # no assignment yet


def instances(rest: str, web: psutil.Process) -> list[list[object]]:
    call("POST", f"{rest}/topics/{TOPIC}", FIRST_RECORD, Content_Type=MEDIA_TYPE.format("binary"))
    read_once(rest, -1)  # what the first one needs is not of each
    before = rss_mib(web)
    with ThreadPoolExecutor(INSTANCES_AT_ONCE) as pool:
        list(pool.map(lambda number: read_once(rest, number), range(INSTANCES - 1)))
    time.sleep(SETTLED_S)
    more = rss_mib(web) - before
    cpu_before = sum(web.cpu_times()[:2])
    time.sleep(SETTLED_S)
    cores = (sum(web.cpu_times()[:2]) - cpu_before) / SETTLED_S
    return [
        [f"{INSTANCES:,} idle consumer instances, MiB more", more, INSTANCES_BOUND_MIB],
        ["processor time that they take, cores", cores, ""],
    ]


# --- one large request ---------------------------------------------------------------------------------------------


def bodies() -> Iterator[tuple[str, str, bytes, dict[str, str]]]:
    """What each request is called, its format, its body of REQUEST_BYTES, and its headers."""
    records = {
        "json": json_value(1).decode(),
        "binary": '"' + base64.b64encode(bytes(range(100))).decode() + '"',
    }
    for embedded, value in records.items():
        record = f'{{"value":{value}}}'
        count = REQUEST_BYTES // (len(record) + 1)
        body = f'{{"records":[{",".join([record] * count)}]}}'.encode()
        yield f"{embedded}, {count:,} records", embedded, body, {}
        yield f"{embedded}, {count:,} records, gzip", embedded, gzip.compress(body, 1), {"Content_Encoding": "gzip"}
    # A record may take 1 MiB on the way to the broker; 64 of them share a request.
    large = base64.b64encode(bytes(REQUEST_BYTES // 64 // 4 * 3 - 64)).decode()
    body = ('{"records":[' + ",".join([f'{{"value":"{large}"}}'] * 64) + "]}").encode()
    yield "binary, 64 records", "binary", body, {}


def peak_mib(web: psutil.Process, rest: str, embedded: str, body: bytes, headers: dict[str, str]) -> float:
    """MiB that the request takes at its peak beyond what was there before it."""
    Path(f"/proc/{web.pid}/clear_refs").write_text("5")  # VmHWM back to what is resident now
    before = rss_mib(web)
    answer = call("POST", f"{rest}/topics/{TOPIC}", body, Content_Type=MEDIA_TYPE.format(embedded), **headers)
    offsets = cast(dict[str, list[dict[str, object]]], answer)["offsets"]
    assert all(one["error_code"] is None for one in offsets), offsets[0]
    status = Path(f"/proc/{web.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024 - before


def requests() -> list[list[object]]:
    """Each in a process of its own: what one request left behind would be the next one's."""
    rows: list[list[object]] = []
    for name, embedded, body, headers in bodies():
        with platform() as (ready, _):
            web, rest = psutil.Process(cast(dict[str, int], ready["pids"])["web"]), str(ready["rest"])
            existing_topic(rest, TOPIC)
            call("POST", f"{rest}/topics/{TOPIC}", FIRST_RECORD, Content_Type=MEDIA_TYPE.format("binary"))
            peaks = [peak_mib(web, rest, embedded, body, headers) for _ in range(RUNS)]
        rows.append([f"50 MiB, {name}: peak, times its size", max(peaks) / (REQUEST_BYTES / 2**20), REQUEST_BOUND])
    return rows


# --- one long stream -----------------------------------------------------------------------------------------------


async def stream(records_url: str, web: psutil.Process) -> tuple[float, float]:
    """Resident MiB after STREAM_RECORDS_FIRST and STREAM_RECORDS records of one request."""
    parts = urlsplit(records_url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    body = b'{"value":{"type":"JSON","data":%b}}\n' % json_value(1) * STREAM_CHUNK_RECORDS
    head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
    writer.write(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
    sent = receipts = 0
    first_mib = 0.0
    while receipts < STREAM_RECORDS:
        while sent < STREAM_RECORDS and sent - receipts < STREAM_WINDOW:
            writer.write(b"%x\r\n%b\r\n" % (len(body), body))
            sent += STREAM_CHUNK_RECORDS
        received = await reader.readuntil(b"}\r\n") + await _more(reader)
        assert b'"message"' not in received, received
        receipts += received.count(b"}\r\n")
        if not first_mib and receipts >= STREAM_RECORDS_FIRST:
            first_mib = rss_mib(web)
    last_mib = rss_mib(web)
    writer.close()
    return first_mib, last_mib


async def _more(reader: asyncio.StreamReader) -> bytes:
    """What has arrived already, up to the end of a receipt."""
    buffered = bytes(reader._buffer)  # type: ignore[attr-defined]  # the public calls all wait
    return await reader.readexactly(buffered.rfind(b"}\r\n") + 3) if b"}\r\n" in buffered else b""


def main() -> None:
    rows: list[list[object]] = []
    with platform() as (ready, _):
        web = psutil.Process(cast(dict[str, int], ready["pids"])["web"])
        existing_topic(str(ready["rest"]), TOPIC)
        rows += instances(str(ready["rest"]), web)
    with platform() as (ready, _):
        web = psutil.Process(cast(dict[str, int], ready["pids"])["web"])
        cluster = existing_topic(str(ready["rest"]), TOPIC)
        first, last = uvloop.run(stream(f"{cluster}/topics/{TOPIC}/records", web))
        rows.append([f"stream, MiB after {STREAM_RECORDS_FIRST:,} records", first, ""])
        rows.append([f"stream, MiB more after {STREAM_RECORDS:,} records", last - first, "no growth"])
    rows += requests()
    print(f"{machine()}; peaks are the largest of {RUNS}\n")
    print(table("REST Proxy, memory", ["what", "measured", "bound"], rows))


if __name__ == "__main__":
    main()
