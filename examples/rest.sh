#!/usr/bin/env bash
# Produce and consume through the REST Proxy with curl.
set -euo pipefail

REST=${REST:-http://localhost:8082}
JSON='application/vnd.kafka.json.v2+json'
V2='application/vnd.kafka.v2+json'

curl -sSf "$REST/topics/example-rest" -H "Content-Type: $JSON" \
  -d '{"records": [{"key": "a", "value": {"n": 1}}, {"key": "b", "value": {"n": 2}}]}'
echo

consumer=$(curl -sSf "$REST/consumers/example-rest-readers" -H "Content-Type: $V2" \
  -d '{"format": "json", "auto.offset.reset": "earliest"}' | sed 's/.*"base_uri":"\([^"]*\)".*/\1/')
trap 'curl -sS -X DELETE "$consumer"' EXIT

curl -sSf "$consumer/subscription" -H "Content-Type: $V2" -d '{"topics": ["example-rest"]}'
curl -sSf "$consumer/records?timeout=10000" -H "Accept: $JSON"
echo
