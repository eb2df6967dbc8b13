"""Answers of Apache Avro 1.12.1 (Java), recorded: Schema.Parser, Schema.toString and SchemaCompatibility."""

import json
from pathlib import Path

_LINES = Path(__file__).parents[3].joinpath("golden/avro_java_1.12.1.jsonl").read_text(encoding="utf-8").split("\n")
_ROWS = [json.loads(line) for line in _LINES if line]
SCHEMAS = [row for row in _ROWS if "schema" in row]
PAIRS = [row for row in _ROWS if "reader" in row]
