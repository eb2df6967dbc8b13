"""The Schema Registry under load (wrk), and how long a registry of 100,000 schemas takes to read.

Registrations are of new schemas under new subjects, each acknowledged by Kafka and read back before it is answered.
"""

import asyncio
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil

from app.kafka.admin import KafkaClusterAdmin
from app.kafka.ports import NewTopic, RecordToSend
from app.kafka.producer import KafkaProducer
from app.registry.records import SchemaValue, schema_record
from app.registry.store import SchemasTopic
from benchmarks.brokers import machine
from benchmarks.start import platform
from benchmarks.table import median, table

RUNS = 5
CONNECTIONS = 32
SECONDS = 3
LOADED_SCHEMAS = 100_000
V1 = "application/vnd.schemaregistry.v1+json"
MEBIBYTE = 1 << 20

REGISTER = """
wrk.method = 'POST'
wrk.headers['Content-Type'] = '{media_type}'
local count = 0
local before, after = [[{before}]], [[{after}]]
request = function()
  count = count + 1
  local name = 'R{run}_' .. count
  return wrk.format('POST', '/subjects/' .. name .. '-value/versions', nil, before .. name .. after)
end
"""
LOOK_UP = "wrk.method='POST'; wrk.headers['Content-Type']='{media_type}'; wrk.body='{body}'\n"


def schema(name: str) -> str:
    fields = [{"name": "id", "type": "long"}, {"name": "note", "type": "string"}]
    return json.dumps({"type": "record", "name": name, "fields": fields}, separators=(",", ":"))


def run(url: str, script: Path | None) -> tuple[float, float, float]:
    """Requests a second, p50 and p99 in ms."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency"]
    command += ["-s", str(script)] if script else []
    printed = subprocess.run([*command, url], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert "Non-2xx" not in printed, printed
    rate = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    assert rate
    return float(rate[1]), _milliseconds(printed, "50%"), _milliseconds(printed, "99%")


def _milliseconds(printed: str, percent: str) -> float:
    found = re.search(rf"{percent}\s+([\d.]+)(us|ms|s)", printed)
    assert found
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]


def serving(runs: int) -> list[list[object]]:
    rows: list[list[object]] = []
    with platform() as (ready, _), tempfile.TemporaryDirectory() as name:
        url, folder = str(ready["schema_registry"]), Path(name)
        body = json.dumps({"schema": schema("First")})
        first = urllib.request.Request(f"{url}/subjects/first/versions", body.encode(), {"Content-Type": V1})
        urllib.request.urlopen(first).read()
        look_up = folder / "look-up.lua"
        look_up.write_text(LOOK_UP.format(media_type=V1, body=body.replace("\\", "\\\\")))

        def registration(number: int) -> Path:
            script = folder / f"register-{number}.lua"
            before, after = json.dumps({"schema": schema("?")}).split("?")
            script.write_text(REGISTER.format(media_type=V1, run=number, before=before, after=after))
            return script

        for what, bound, measure in (
            ("by id", 15_000, lambda _: run(f"{url}/schemas/ids/1", None)),
            ("look up", 5_000, lambda _: run(f"{url}/subjects/first", look_up)),
            ("register", 1_500, lambda number: run(url, registration(number))),
        ):
            measured = [measure(number) for number in range(runs)]
            rate, p50, p99 = (median([one[index] for one in measured]) for index in range(3))
            rows.append([what, rate, bound, p50, p99])
    return rows


async def fill(servers: str, count: int) -> None:
    """Write so many schemas, each under its own subject."""
    admin, producer = KafkaClusterAdmin(servers), KafkaProducer(servers)
    await admin.create_topic(NewTopic("_schemas", 1, 1, {"cleanup.policy": "compact"}))
    for start in range(0, count, 2_000):
        records = []
        for number in range(start, start + 2_000):
            value = SchemaValue(f"subject-{number}", 1, number + 1, schema=schema(f"com.example.Record{number}"))
            records.append(RecordToSend(*schema_record(value)))
        await producer.append("_schemas", 0, records)
    await producer.close()
    await admin.close()


async def load(servers: str) -> None:
    """Print the seconds until everything is read, and the MiB that it takes."""
    process = psutil.Process()
    admin, producer = KafkaClusterAdmin(servers), KafkaProducer(servers)
    before = process.memory_info().rss
    started = time.perf_counter()
    store = SchemasTopic(admin, producer, timeout_s=120)
    await store.start()
    await store.ready()
    seconds = time.perf_counter() - started
    print(len(store.view.contents), seconds, (process.memory_info().rss - before) / MEBIBYTE)
    await store.stop()
    await producer.close()
    await admin.close()


def loading(runs: int) -> list[object]:
    with platform() as (ready, _):
        servers = str(ready["kafka"])
        asyncio.run(fill(servers, LOADED_SCHEMAS))
        seconds, mebibytes = [], []
        for _ in range(runs):
            command = [sys.executable, "-m", "benchmarks.schema_registry", "load", servers]
            printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
            assert int(printed[0]) == LOADED_SCHEMAS, printed
            seconds.append(float(printed[1]))
            mebibytes.append(float(printed[2]))
    return [f"{LOADED_SCHEMAS:,}", median(seconds), 10, median(mebibytes), 400]


def main(runs: int = RUNS) -> None:
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed. On Debian: apt-get install wrk")
    print(machine() + f"; wrk, {CONNECTIONS} connections, medians of {runs} runs of {SECONDS} s\n")
    columns = ["request", "requests/s", "bound", "p50 ms", "p99 ms"]
    print(table("Schema Registry, embedded broker", columns, serving(runs)))
    columns = ["schemas", "seconds", "bound", "MiB", "bound, MiB"]
    print(table("Schema Registry, reading its topic", columns, [loading(runs)]))


if __name__ == "__main__":
    if sys.argv[1:2] == ["load"]:
        asyncio.run(load(sys.argv[2]))
    else:
        main()
