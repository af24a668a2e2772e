#!/bin/bash
# Few labels on one GPU, in at most eight minutes: several trainings side by side on one card.
#
#     bash benchmarks/gpu/few_labels.sh STORE RESULTS
#
# Before, where the data are (37 MiB, all that the table needs):
#
#     semiqc import PATH/TO/acdc/training acdc_full.h5 --spacing 1.5
#     python -m benchmarks.few_labels.pack acdc_full.h5 few_labels.h5
#
# Then, in the root of this repository on the machine with the card, with the dependencies of
# pyproject.toml installed or on PYTHONPATH (the program itself runs from the repository):
#
#     bash benchmarks/gpu/few_labels.sh few_labels.h5 results
#
# Where that machine has no network, take the wheels along that its Python lacks, such as
#
#     pip download --no-deps -d wheels --only-binary=:all: --python-version 3.12 \
#         --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 \
#         monai nibabel pydicom pydantic==2.14.3 pydantic_core==2.50.4 annotated-types \
#         typing-inspection lightning-fabric lightning-utilities
#     python -m pip install --no-index --no-deps --target site wheels/*.whl   # there
#     export PYTHONPATH=$PWD/site
#
# (pydantic names the one pydantic_core that it works with.) RESULTS gets table.csv, few_labels.md and
# rest.tar.gz (figures of every patient, settings, logs) after every arm, so that what is done is kept
# when time runs out. The work folder may be lost.
#
# Environment, with defaults:
#     MINUTES=7.5     of all, the short trainings included that tell how many steps fit
#     STEPS=40000     of an arm at most: an online loop's first training has a quarter of them
#     BEST=cps        loop that is run beside supervised and bcp
#     ARMS=...        in place of supervised, bcp and BEST, each with 3 and 7 labels
#     JOBS=6          trainings side by side
#     START=phantom   scratch, phantom or a file with weights
#     SET=...         changes of settings, such as "training.batch_size=24 online.batch_size=24"
#     WORK=...        work folder; a temporary one if not given
#
# A rehearsal on a processor:
#     STEPS=3 JOBS=1 START=scratch ARMS="supervised:scratch:3" \
#         SET="segmenter.channels=[4,8] training.patch=[64,64]" \
#         bash benchmarks/gpu/few_labels.sh few_labels.h5 results
set -u
STORE=$(realpath "$1")
RESULTS=$(realpath -m "$2")
cd "$(dirname "$0")/../.." || exit 1
MINUTES=${MINUTES:-7.5}
STEPS=${STEPS:-40000}
JOBS=${JOBS:-6}
START=${START:-phantom}
BEST=${BEST:-cps}
WORK=${WORK:-$(mktemp -d)}
if [ -z "${ARMS:-}" ]; then
    for labelled in 3 7; do
        for loop in bcp "$BEST" supervised; do ARMS="${ARMS:-} $loop:$START:$labelled"; done
    done
fi
CHANGES=(--set training.report_every=50 --set training.checkpoint_every=100000)
for change in ${SET:-}; do CHANGES+=(--set "$change"); done

mkdir -p "$RESULTS" "$WORK"
export PYTHONUNBUFFERED=1 OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}
python3 - <<'PYTHON' || exit 1
import importlib.util, platform, sys
needed = ("torch monai lightning_fabric lightning_utilities nibabel pydicom pydantic annotated_types"
          " h5py filelock jinja2 lazy_loader matplotlib pandas yaml rich safetensors sklearn scipy"
          " tensorboard typer")
missing = [name for name in needed.split() if importlib.util.find_spec(name) is None]
if missing:
    sys.exit(f"Python {platform.python_version()} lacks {', '.join(missing)}; see the top of this script")
import torch
print(torch.__version__, torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU")
PYTHON

collect() {
    cp -f "$WORK"/table.csv "$WORK"/few_labels.md "$RESULTS"/ 2>/dev/null
    tar -C "$WORK" -czf "$RESULTS/.rest" --ignore-failed-read --exclude=stages --exclude=models \
        --exclude=qc --exclude='*.h5' --exclude='report.html' . 2>/dev/null
    mv -f "$RESULTS/.rest" "$RESULTS/rest.tar.gz"
}
trap collect EXIT
trap 'exit 143' TERM INT

# shellcheck disable=SC2086
python3 -m benchmarks.few_labels "$STORE" "$WORK" --arms $ARMS --jobs "$JOBS" --apart \
    --minutes "$MINUTES" --fit "$STEPS" "${CHANGES[@]}" --markdown "$WORK/few_labels.md" &
child=$!
trap 'kill $child 2>/dev/null; wait $child; exit 143' TERM INT
while kill -0 $child 2>/dev/null; do
    sleep 5
    collect
done
wait $child
code=$?
[ -f "$WORK/few_labels.md" ] && cat "$WORK/few_labels.md"
tail -n 3 "$WORK"/logs/*.txt 2>/dev/null
exit $code
