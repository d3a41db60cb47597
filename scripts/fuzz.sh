#!/usr/bin/env bash
# Runs each fuzz target for FUZZ_SECONDS (default 30), starting from what is in Tests/Fuzz/Corpus. A crash leaves its
# input beside this script's output, and the script fails: add the input to the corpus with the fix.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${FUZZ_SECONDS:-30}
scratch=.build-fuzz
export POSTERN_FUZZ=1
for target in FuzzPath FuzzPolicy FuzzRecord FuzzFrames FuzzNote; do
    swift build --scratch-path "$scratch" --sanitize=fuzzer --product "$target"
    found=$scratch/corpus/$target
    mkdir -p "$found"
    echo "== $target for $seconds s"
    "$scratch/debug/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
        -print_final_stats=1 -verbosity=0 -artifact_prefix="$found-" "$found" "Tests/Fuzz/Corpus/$target"
done
