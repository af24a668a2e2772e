#!/bin/bash
# release/try.sh PYTHON PACKAGE CONSTRAINTS: installs a wheel or source distribution in an environment
# of its own, and makes the demo's run there, where nothing of the repository is to be seen.
# SET, such as "training.steps=9 phantom.studies=8", makes the run a shorter one.
set -euo pipefail

package=$(realpath "$2") constraints=$(realpath "$3")
python=$(command -v "$1")
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
"$python" -m venv clean
clean/bin/pip install --quiet --constraint "$constraints" torch
clean/bin/pip install --quiet --constraint "$constraints" "$package"
changes=()
for change in ${SET:-}; do changes+=(--set "$change"); done
env --unset=PYTHONPATH clean/bin/semiqc run --output demo "${changes[@]}"
clean/bin/semiqc verify demo
test -s demo/report.html
from=$(clean/bin/python -c 'import semiqc; print(semiqc.__file__)')
case "$from" in "$place"/clean/*) ;; *) echo "semiqc came from $from"; exit 1;; esac
echo "$(basename "$package"): installed alone, and its demo runs"
