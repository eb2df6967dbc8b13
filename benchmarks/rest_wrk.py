"""REST produce with wrk as the load (apt-get install wrk): a generator in C leaves the processor to the proxy."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from benchmarks.brokers import machine
from benchmarks.start import platform
from benchmarks.table import median, table

RUNS = 5
CONNECTIONS = 32
SECONDS = 3
RECORD = '{"value":{"id":12345,"name":"espresso","price":3.5,"note":"' + "x" * 47 + '"}}'
MEDIA_TYPE = "application/vnd.kafka.{}.v2+json"
SCHEMA = {
    "type": "record",
    "name": "Product",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "name", "type": "string"},
        {"name": "price", "type": "double"},
        {"name": "note", "type": "string"},
    ],
}
CASES = (("json", 1, 15_000), ("json", 100, 400_000), ("avro", 100, 100_000))  # format, records a request, bound


def script(folder: Path, embedded: str, records: int, schema_id: int) -> Path:
    """A wrk script that posts so many records with every request."""
    by_schema = f'"value_schema_id":{schema_id},' if embedded == "avro" else ""
    body = "{" + by_schema + '"records":[' + ",".join([RECORD] * records) + "]}"
    path = folder / f"post-{embedded}-{records}.lua"
    media_type = MEDIA_TYPE.format(embedded)
    path.write_text(f"wrk.method='POST'; wrk.headers['Content-Type']='{media_type}'; wrk.body='{body}'\n")
    return path


def post(url: str, embedded: str, body: str) -> dict[str, object]:
    request = urllib.request.Request(url, body.encode(), {"Content-Type": MEDIA_TYPE.format(embedded)})
    answer: dict[str, object] = json.loads(urllib.request.urlopen(request).read())
    return answer


def run(url: str, lua: Path) -> tuple[float, float, float]:
    """Requests a second, p50 and p99 in ms."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", "-s", str(lua), url]
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    assert "Non-2xx" not in printed, printed
    rate = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    assert rate
    return float(rate[1]), _milliseconds(printed, "50%"), _milliseconds(printed, "99%")


def _milliseconds(printed: str, percent: str) -> float:
    found = re.search(rf"{percent}\s+([\d.]+)(us|ms|s)", printed)
    assert found
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]


def main() -> None:
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed. On Debian: apt-get install wrk")
    rows: list[list[object]] = []
    with platform() as (ready, _), tempfile.TemporaryDirectory() as folder:
        url = f"{ready['rest']}/topics/rest-wrk"
        post(url, "json", '{"records":[{"value":1}]}')
        first = '{"value_schema":' + json.dumps(json.dumps(SCHEMA)) + ',"records":[' + RECORD + "]}"
        schema_id = int(str(post(url, "avro", first)["value_schema_id"]))
        for embedded, records, bound in CASES:
            runs = [run(url, script(Path(folder), embedded, records, schema_id)) for _ in range(RUNS)]
            rate, p50, p99 = (median([one[index] for one in runs]) for index in range(3))
            rows.append([f"{embedded}, {records} a request", rate, rate * records, bound, p50, p99])
    print(machine() + f"; wrk, {CONNECTIONS} connections, medians of {RUNS} runs of {SECONDS} s\n")
    columns = ["records", "requests/s", "records/s", "bound, records/s", "p50 ms", "p99 ms"]
    print(table("REST produce, v2", columns, rows))


if __name__ == "__main__":
    main()
