#!/bin/sh
# compare.sh - engine, DuckDB and nfdump on the same rows, one table after the other.
#
#   compare.sh ENGINE DIR [DAYS]
#
# ENGINE is the benchmark program (build/bench/engine). Database, rows and the DuckDB package go below DIR;
# nothing is installed elsewhere. DAYS of about 590,000 rows (default 3: loopback carries the rows to
# nfcapd). What is not there (nfdump: Debian package; DuckDB: needs npm) is said and left out.
set -eu

engine=$(realpath "$1")
dir=$2
days=${3:-3}
here=$(dirname "$(realpath "$0")")

mkdir -p "$dir"
"$engine" --db "$dir/db" --days "$days" --csv "$dir/rows.csv"
echo "== engine: from files, lz4, warm page cache"
"$engine" --db "$dir/db" --times 5
echo "== DuckDB: table in memory, uncompressed"
cp "$here/duckdb.mjs" "$dir/"
if npm install --prefix "$dir" --no-audit --no-fund --silent @duckdb/node-api; then
    node "$dir/duckdb.mjs" "$dir/rows.csv"
else
    echo "left out: npm could not install @duckdb/node-api"
fi
echo "== nfdump: from files written by nfcapd, lz4, warm page cache"
if command -v nfcapd >/dev/null; then
    python3 "$here/nfdump.py" "$dir/rows.csv"
else
    echo "left out: nfdump is not installed"
fi
