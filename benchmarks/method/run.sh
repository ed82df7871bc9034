#!/usr/bin/env bash
# One complete run of the workflow, whose tables are kept: see the Snakefile beside this.
#
#   run.sh START RUN TABLES THREADS SETTINGS
#
# START: folder with the results to begin with; RUN: folder of the run, made or resumed; TABLES:
# folder that the tables are copied to; SETTINGS: what differs from config.yaml, as JSON.
set -euo pipefail
start=$1 run=$2 tables=$3 threads=$4 settings=$5
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

if [ ! -d "$run" ]; then
  rm -rf "$run.part"
  mkdir -p "$(dirname "$run")"
  cp -r "$start" "$run.part"
  mv "$run.part" "$run"
fi
printf '%s\n' "$settings" >"$run/settings.yaml" # JSON is YAML
start_time=$SECONDS
OMP_NUM_THREADS=$threads snakemake -s "$root/Snakefile" --directory "$run" --nolock \
  --cores "$threads" --configfile "$root/config.yaml" "$run/settings.yaml" \
  -- results/evaluation/methods.csv

results=$run/results
rm -rf "$tables.part"
mkdir -p "$tables.part"
cp "$results"/evaluation/{methods,scores,classes,texture,faithfulness,differences,tiles}.csv \
  "$results"/evaluation/warnings.txt \
  "$results"/metrics/classifier/{accuracy,evidence,baselines}.csv "$tables.part"
{
  echo 'commit,processor,seconds'
  printf '%s,"%s",%s\n' "$(git -C "$root" describe --always --dirty)" \
    "$(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -1)" $((SECONDS - start_time))
} >"$tables.part/run.csv"
rm -rf "$tables"
mv "$tables.part" "$tables"
