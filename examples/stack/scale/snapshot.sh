#!/bin/sh
# Dump the database of Grafana into /snapshots, then delete the dumps older than KEEP_DAYS days (14).
# PGHOST, PGUSER, PGPASSWORD and PGDATABASE say which. To restore: pg_restore --clean --if-exists -d grafana FILE
set -eu

directory=${SNAPSHOTS:-/snapshots}
dump=$directory/grafana-$(date -u +%Y-%m-%dT%H-%M-%SZ).dump

umask 077 # sessions, tokens and hashes of passwords are in it
trap 'rm -f "$dump.part"' EXIT
pg_dump --format=custom --file="$dump.part"
mv "$dump.part" "$dump" # what has the final name is whole

# Only now: while dumps fail, the old ones stay.
find "$directory" -name 'grafana-*.dump' -mtime "+${KEEP_DAYS:-14}" -exec rm -f {} +
echo "$dump"
