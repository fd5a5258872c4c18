#!/bin/sh
# For containers: migrate first, stop if that fails, then become the command.
set -eu
cd "$(dirname "$0")"
export ACCEPTED_SETUP="${ACCEPTED_SETUP:-false}"
python3 run.py migrate
exec "$@"
