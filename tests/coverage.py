"""coverage.py FILE.csv - gcovr's table of files as a line per room: lines and branches reached."""
import csv
import os
import sys

rooms = {}
with open(sys.argv[1], encoding="utf-8") as f:
    for row in csv.DictReader(f):
        room = "/".join(os.path.dirname(row["filename"]).split("/")[:2])
        totals = rooms.setdefault(room, [0, 0, 0, 0])
        for i, name in enumerate(("line_covered", "line_total", "branch_covered", "branch_total")):
            totals[i] += int(row[name] or 0)
if not rooms:
    sys.exit("coverage.py: no file was reached")


def show(name, lines, of_lines, branches, of_branches):
    print("%-24s %5d of %5d lines %5.1f %%   %5d of %5d branches %5.1f %%"
          % (name, lines, of_lines, 100 * lines / max(of_lines, 1), branches, of_branches,
             100 * branches / max(of_branches, 1)))


for name, totals in sorted(rooms.items()):
    show(name, *totals)
show("all", *map(sum, zip(*rooms.values())))
