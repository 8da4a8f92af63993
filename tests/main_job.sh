#!/usr/bin/env bash
# The main job as a test: the network comes up, a training survives a killed agent, and ends in the bits of an unbroken run.
# usage: main_job.sh PROGRAMS SOURCE
set -euo pipefail
programs=$1 source=$2
digits=$source/.weir/data/digits.csv.gz
if [[ ! -r $digits ]]; then
    echo "the real digits are absent (tools/fetch_digits brings them): learning made-up ones"
    digits=$(mktemp --suffix=.csv.gz)
    trap 'rm -f "$digits"' EXIT
    /usr/bin/python3 -B "$source/examples/digits/made_up.py" "$digits"
fi
"$programs/weir" up --once --share "$source" --digits "$digits"
