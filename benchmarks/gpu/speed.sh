#!/bin/bash
# What one GPU does with the training steps, in some four minutes.
#
#     bash benchmarks/gpu/speed.sh RESULTS
#
# RESULTS gets speed.md: share of the card's peak and of its roofline (roofline.py), images a second
# beside MONAI's loop (training.py), and whether torch.compile pays (../compiled.py). What the machine
# must have, and how wheels travel where it has no network: see the head of few_labels.sh.
#
# A rehearsal on a processor: TINY=1 bash benchmarks/gpu/speed.sh RESULTS
set -eu
RESULTS=$(realpath -m "$1")
cd "$(dirname "$0")/../.."
mkdir -p "$RESULTS"
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1 OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
{
    timeout 240 python3 benchmarks/gpu/roofline.py ${TINY:+--tiny}
    echo
    timeout 120 python3 benchmarks/gpu/training.py ${TINY:+--steps 1 --batch-size 2}
    echo
    [ -n "${TINY:-}" ] || timeout 120 python3 benchmarks/compiled.py
} | tee "$RESULTS/speed.md"
