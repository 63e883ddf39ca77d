#!/usr/bin/env python3
"""names_test.py SOURCE_DIR BUILD_DIR - what the documents name is there.

Paths, files and tests in `code`, and links, in every .md file; the table of rooms in docs/architecture.md and "May use"
in the rooms' READMEs against the rules of CMakeLists.txt.
"""
import os
import re
import sys

TOP, BUILD = sys.argv[1:3]
FOLDERS = ("agent", "aggregator", "cli", "cmake", "deploy", "docs", "godb", "proto", "tests")
PATH = re.compile(r"(?:%s)/[a-z0-9_./-]+" % "|".join(FOLDERS))
FILE = re.compile(r"[a-z0-9_]+\.(?:c|h|py|sh|proto|cmake)")
TEST = re.compile(r"(?:auth|conformance|docs|e2e|interop|rpc|serve|store)\.[a-z0-9_]+")


def tree():
    """All files below the folders and beside them, by their paths from the top."""
    found = [f for f in os.listdir(TOP) if os.path.isfile(os.path.join(TOP, f))]
    for folder in FOLDERS:
        for where, _, names in os.walk(os.path.join(TOP, folder)):
            found += [os.path.relpath(os.path.join(where, n), TOP) for n in names]
    return found


def check_words(doc, text, files, tests):
    """Complaints about the words in `code`, outside of blocks."""
    code = " ".join(re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S)))
    last = {os.path.basename(f) for f in files}
    headers = {f.split("/include/")[1] for f in files if "/include/" in f}
    for word in (w.rstrip(".,:;)") for w in code.split()):
        if PATH.fullmatch(word):
            if not os.path.exists(os.path.join(TOP, word)) and word not in headers:
                yield "%s: no %s" % (doc, word)
        elif FILE.fullmatch(word):
            if word not in last and word != "name.c":
                yield "%s: no file %s" % (doc, word)
        elif TEST.fullmatch(word) and word not in tests:
            yield "%s: no test %s" % (doc, word)
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        if not os.path.exists(os.path.join(TOP, os.path.dirname(doc), link)):
            yield "%s: a link to nothing: %s" % (doc, link)


def rooms():
    """{room: rooms that it may use}, and {room: folder}, of CMakeLists.txt."""
    with open(TOP + "/CMakeLists.txt") as f:
        text = f.read()
    may = {name: set(used.replace('""', "").split()) for name, used in re.findall(r"^set\(MAY_USE_(\w+) +([^)]*)\)", text, re.M)}
    folders = re.search(r"foreach\(dir IN ITEMS(.*?)\)", text, re.S)[1].split()
    return may, {os.path.basename(d): d for d in folders if "/" in d and os.path.basename(d) in may}


def check_table():
    may, folders = rooms()
    with open(TOP + "/docs/architecture.md") as f:
        rows = re.findall(r"^\| `([a-z]+/[a-z]+)` \| [^|]* \| ([^|]*) \|", f.read(), re.M)
    table = {os.path.basename(path): (path, set(re.findall(r"\w+", used))) for path, used in rows}
    for room, path in folders.items():
        if room not in table:
            yield "architecture.md: no row for %s" % path
        elif table[room] != (path, may[room]):
            yield "architecture.md: %s uses %s, by CMakeLists.txt %s" % (*table[room], may[room])
    for room, path in folders.items():
        with open("%s/%s/README.md" % (TOP, path)) as f:
            said = re.search(r"^May use:? ([^.;]*)", f.read(), re.M)
        used = set(re.findall(r"\w+", re.sub(r"\([^)]*\)", "", said[1]))) - {"and"} if said else may[room]
        if used != may[room]:
            yield "%s/README.md: uses %s, by CMakeLists.txt %s" % (path, used, may[room])
    for room in set(table) - set(folders):
        yield "architecture.md: %s is no room" % room


def main():
    files = tree()
    tests = set()
    for where, _, names in os.walk(BUILD):  # not ctest --show-only, which begins the log of this run anew
        if "CTestTestfile.cmake" in names:
            with open(where + "/CTestTestfile.cmake") as f:
                tests |= set(re.findall(r"^add_test\((?:\[=+\[)?([\w.]+)", f.read(), re.M))
    docs = [f for f in files if f.endswith(".md")]
    bad = list(check_table())
    for doc in docs:
        with open(os.path.join(TOP, doc)) as f:
            bad += check_words(doc, f.read(), files, tests)
    print("\n".join(bad))
    print("%d passed, %d failed" % (len(docs), len(bad)))
    sys.exit(bool(bad))


main()
