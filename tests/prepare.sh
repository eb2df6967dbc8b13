#!/usr/bin/env bash
# What the tests need besides Python packages: Chromium always; Java, Maven and Go for interop, in CI at least.
set -euo pipefail

have() { command -v "$1" >/dev/null 2>&1; }
as_root() { [ "$(id -u)" = 0 ] && have apt-get; }

missing=()
have chromium || have chromium-browser || have google-chrome || missing+=(chromium)
if [ "${CI:-}" = true ]; then
  have java || missing+=(openjdk-17-jdk-headless)
  have mvn || missing+=(maven)
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

have java && have mvn || echo "Java or Maven is missing: the tests with Apache Kafka and its tools are skipped." >&2
have go || echo "Go is missing: the tests with franz-go are skipped." >&2
