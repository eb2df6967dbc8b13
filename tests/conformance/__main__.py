"""`python -m tests.conformance`: every client against Apache Kafka and ours; writes docs/clients.md.

With names (`python -m tests.conformance sarama kafkajs`) only those run, and the page stays as it is.
"""

import contextlib
import json
import sys
import tempfile
from pathlib import Path

from tests.conformance import page
from tests.conformance.clients import CLIENTS
from tests.conformance.exemptions import without_exempted
from tests.conformance.runs import run_all
from tests.conformance.steps import STEPS
from tests.conformance.targets import BROKERS
from tests.integration.broker.certificates import Authority


def main(names: list[str]) -> int:
    chosen = [client for client in CLIENTS if not names or client.name in names]
    with tempfile.TemporaryDirectory() as named, contextlib.ExitStack() as stack:
        folder = Path(named)
        (folder / "ca").mkdir()
        authority = Authority(folder / "ca")
        targets = [stack.enter_context(start(folder / start.__name__, authority)) for start in BROKERS]
        runs = run_all(chosen, targets, folder)
    differing = 0
    for client in chosen:
        ours, kafkas = runs[client.name, "caudal"], runs[client.name, "kafka"]
        print(f"{client.title} ({ours.version}): {ours.seconds:.1f} s ours, {kafkas.seconds:.1f} s Kafka")
        print(ours.complaint + kafkas.complaint, end="")
        for step in STEPS:
            pair = without_exempted(step.name, ours.document.get(step.name), kafkas.document.get(step.name))
            if pair[0] != pair[1]:
                differing += 1
                print(f"  {step.name}\n    ours:  {json.dumps(pair[0])}\n    Kafka: {json.dumps(pair[1])}")
    if not names and all(run.document for run in runs.values()):
        page.write({client.name: runs[client.name, "kafka"] for client in chosen})
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
