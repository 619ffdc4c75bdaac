#!/usr/bin/env bash
# May this model ship? examples/gate.sh DATA CANDIDATE [BASELINE], where CANDIDATE is a run or an .onnx file and BASELINE
# the model in production. Ends at the first "no" with that command's exit code; what each gate found lies in ./gate.
set -euo pipefail

data="$1" candidate="$2" baseline="${3:-}"
mkdir -p gate

# 1. The data: unreadable files, conflicting labels, images without a class. Exit 1 for findings, 3 where nothing can be read.
clf inspect-dataset "$data" --json --quiet > gate/dataset.json

# 2. The file: does it answer on the real images as its checkpoint does? Exit 1 if not.
clf validate-onnx "$candidate" --data "$data" --json --quiet > gate/validation.json

# 3. The regression: is it as good as the one that it replaces, on the whole and on every class?
if [ -n "$baseline" ]; then
    clf compare "$baseline" "$candidate" --data "$data" --json --quiet \
        --max-accuracy-drop 0.01 --per-class-max-accuracy-drop 0.25 > gate/compare.json
fi

# 4. What it scored, for the log.
clf evaluate "$candidate" --data "$data" --quiet
