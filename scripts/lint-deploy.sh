#!/usr/bin/env bash
# Checks what deploys Postern: shell scripts, the Dockerfile, the compose file (its schema, and what docker-compose makes
# of it). Takes the tools from the virtual environment and needs no container engine.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=${VENV:-.venv}/bin

mapfile -t scripts < <(git ls-files -- '*.sh' .ci/run)
"$tools/shellcheck" "${scripts[@]}"
"$tools/hadolint" Dockerfile
"$tools/check-jsonschema" --quiet --builtin-schema vendor.compose-spec docker-compose.yml

ADMIN_KEY=x docker-compose --file docker-compose.yml config --quiet
if refused=$(ADMIN_KEY='' docker-compose --file docker-compose.yml config --quiet 2>&1); then
    echo "docker-compose.yml starts without an admin key." >&2
    exit 1
fi
[[ $refused == *ADMIN_KEY* ]] || { echo "Without an admin key docker-compose says: $refused" >&2; exit 1; }
echo "deployment files: ${#scripts[@]} scripts, Dockerfile and docker-compose.yml are in order"
