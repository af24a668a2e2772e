#!/bin/bash
# QCResUNet and its paper's baselines on one GPU, in eight minutes: as published, for fewer epochs.
#
#     bash benchmarks/gpu/qc_paper.sh GRADED TEST RESULTS
#
# Before, on any processor (graded segmentations of ACDC, and those of held-out patients):
#
#     semiqc import PATH/TO/acdc/training acdc.h5 --spacing 1.5
#     semiqc qc fit acdc.h5 -o suite --estimators physiology --test 20 --folds 2
#
# Take suite/graded.h5, suite/test.h5 and acdc.h5 along, at the same paths. What the machine must have,
# and how wheels travel where it has no network: see the head of few_labels.sh.
#
# Environment, with defaults:
#     EPOCHS=10         of 100 in the paper; 100 epochs of three members take hours
#     MEMBERS=1         of 3 in the paper
#     VARIANTS=...      in place of whole, ResNet-34, ResNet-50 and U-Net
#     MINUTES=8         after which it stops
#
# RESULTS gets report.html, tables and the log, as `semiqc qc evaluate -o` writes them.
set -eu
GRADED=$(realpath "$1") TEST=$(realpath "$2") RESULTS=$(realpath -m "$3")
cd "$(dirname "$0")/../.."
mkdir -p "$RESULTS"
VARIANTS=${VARIANTS:-"whole|no maps (ResNet-34)|ResNet-50|U-Net"}
IFS='|' read -r -a chosen <<< "$VARIANTS"
export PYTHONUNBUFFERED=1 OMP_NUM_THREADS=${OMP_NUM_THREADS:-4}
nvidia-smi --query-gpu=name,memory.total --format=csv,noheader || true
time timeout "$(( ${MINUTES:-8} * 60 ))" python3 benchmarks/qcresunet_ablations.py "$GRADED" "$TEST" \
    -o "$RESULTS/tables" --preset paper --only "${chosen[@]}" \
    --set "epochs=${EPOCHS:-10}" "members=${MEMBERS:-1}" 2>&1 | tee "$RESULTS/log.txt"
