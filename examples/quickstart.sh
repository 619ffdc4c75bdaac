#!/usr/bin/env bash
# From nothing to an ONNX file that was checked, without data, network or GPU: examples/quickstart.sh [FOLDER]
# About two minutes on two cores. What it writes lies in FOLDER (default: quickstart), which must be new.
set -euo pipefail

here="$(cd "$(dirname "$0")" && pwd)"
work="${1:-quickstart}"

# 1. Data: jersey numbers drawn in code. Yours go here: a folder per class, JSON lines, or a CSV file.
clf synth --out "$work/numbers" --images 2400 --classes 12 --imbalance 4

# 2. What is in it, and what is wrong with it.
clf inspect-dataset "$work/numbers"

# 3. Train a small network from scratch. Settings of numbers stand in clf.toml; flags go over them. With a network,
#    leave out --no-pretrained: weights that know pictures learn more from fewer of them. A network this small gains
#    little from a second math thread.
clf train --config "$here/clf.toml" --data "$work/numbers" --out "$work/runs" --name numbers --arch test_resnet \
    --no-pretrained --image-size 48 --epochs 12 --lr 4e-3 --threads 1

# 4. The best weights as an ONNX file. Training wrote it already; this is how to write one of any checkpoint.
clf export "$work/runs/numbers/checkpoints/best.ckpt" --ema

# 5. Does the file say what the checkpoint says, on the real files? Exit code 1 if not.
clf validate-onnx "$work/runs/numbers/export/model.onnx" --data "$work/numbers"

# 6. Which numbers are mistaken for which: the run, or the ONNX file alone.
clf confusion "$work/runs/numbers"
clf confusion "$work/runs/numbers/export/model.onnx" --data "$work/numbers" --split test
