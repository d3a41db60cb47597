#!/usr/bin/env bash
# Measures Postern side by side with OpenBao; README.md beside this file says how to read the figures.
#
#   POSTERN_BENCH_BINARY    measure this postern binary instead of building a release
#   POSTERN_BENCH_SECONDS   how long each load runs (default 6)
set -euo pipefail
cd "$(dirname "$0")/.."

python=.venv/bin/python
[ -x "$python" ] || { echo "Run this with \`make bench\`, which installs what it needs." >&2; exit 1; }

if [ -z "${POSTERN_BENCH_BINARY:-}" ]; then
    for product in postern audit-storm envelope-bench pkcs11-bench; do
        swift build -c release --static-swift-stdlib --product "$product"
    done
    POSTERN_BENCH_BINARY=$(swift build -c release --show-bin-path)/postern
fi
export POSTERN_BENCH_BINARY

mkdir -p .postern-bench
cc -shared -fPIC -O2 -o .postern-bench/clientcert.so Benchmarks/clientcert.c -ldl -lssl

# The program stops all that it started, whatever ends it.
exec "$python" Benchmarks/bench.py
