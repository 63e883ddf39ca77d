#!/usr/bin/env python3
"""docs_test.py [--update|--complete] FILE.md... - run every command of the documents and compare what they print.

Blocks fenced as ```sh are scripts that must succeed, in order, in one scratch directory per document. Blocks
fenced as ```console hold "$ command" lines, each followed by its output; a line "..." stands for any lines.
--update writes the output of today into the document: read the diff.

Programs are those in BIN_DIR. What belongs to a machine (systemctl, apt-get, ssh, ...) is replaced by a command
that only notes its arguments: such lines are checked for their shell syntax and order, not for their effect
(packages_test.sh and fresh_debian.sh install for real). A ```yaml block is a part of goprobe's configuration, which
must be accepted without a remark. Blocks of other kinds are not run. Commands that another test runs are listed in
ELSEWHERE. --complete: no document of the repository but those named has commands.
"""
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("BIN_DIR", os.path.join(TOP, "build", "bin"))
SHIMS = ("systemctl", "apt-get", "journalctl", "sudo", "ssh", "scp", "dpkg", "rsync", "docker", "helm", "kubectl")
ELSEWHERE = {  # the beginning of a line: where it is run
    "sh tests/run.sh": "CI itself",
    "cmake --preset": "tests/run.sh",
    "ctest --test-dir": "tests/run.sh",
    "clang-format-14": "tests/conformance/style_check.sh",
    "sh deploy/enrol.sh fw-1": "e2e.deploy_enrol",
    "cmake --install": "e2e.library",
    "cc top.c": "e2e.library",
}


def blocks(text):
    """(kind, first line number of the body, [lines]) of every fenced block."""
    out, kind, body, start = [], None, [], 0
    for n, line in enumerate(text.split("\n")):
        if kind is None and line.startswith("```"):
            kind, body, start = line[3:].strip(), [], n + 1
        elif kind is not None and line.startswith("```"):
            out.append((kind, start, body))
            kind = None
        elif kind is not None:
            body.append(line)
    return out


def commands(body):
    """[(command, [output lines])] of a console block."""
    out = []
    for line in body:
        if line.startswith("$ "):
            out.append([line[2:], []])
        elif out and out[-1][0].endswith("\\") and line.startswith("> "):
            out[-1][0] += "\n" + line[2:]
        elif out:
            out[-1][1].append(line)
        else:
            raise ValueError("output before a command: " + line)
    return out


def steady(line):
    """Without what differs from run to run."""
    return re.sub(r"\bin \d+(\.\d+)?(ms|s|us)\b", "in 1ms", line.rstrip())


def same(want, got):
    """Do the lines match, where "..." in want stands for any number of lines?"""
    if not want:
        return not got
    if want[0] == "...":
        return any(same(want[1:], got[i:]) for i in range(len(got) + 1))
    return bool(got) and steady(want[0]) == steady(got[0]) and same(want[1:], got[1:])


def config_problem(scratch, body):
    """What goprobe says about a part of its configuration; None if it takes it."""
    text = "\n".join(body)
    for key, more in (("db:", "db: {path: db}"), ("interfaces:", "autodetection: {enabled: true}")):
        if not re.search("^" + key, text, re.M) and more.split(":")[0] + ":" not in text:
            text += "\n" + more
    with open(os.path.join(scratch.dir, "part.yaml"), "w") as f:
        f.write(text + "\n")
    code, out = scratch.run("goprobe --check-config -c part.yaml")
    return out if code or "unknown key" in out else None


def complete(files):
    """No other document has commands."""
    known, bad = {os.path.realpath(f) for f in files}, 0
    for where, dirs, names in os.walk(TOP):
        dirs[:] = [d for d in dirs if not d.startswith((".", "build"))]
        for path in (os.path.join(where, n) for n in names if n.endswith(".md")):
            with open(path) as f:
                kinds = [kind for kind, _, _ in blocks(f.read())]
            if set(kinds) & {"sh", "console", "bash", "shell"} and os.path.realpath(path) not in known:
                bad += 1
                print("%s: has commands that no test runs (tests/docs/CMakeLists.txt)" % os.path.relpath(path, TOP))
    return bad == 0


class Scratch:
    def __init__(self, where):
        self.dir = where
        shims = os.path.join(where, ".shims")
        os.mkdir(shims)
        for name in SHIMS:
            path = os.path.join(shims, name)
            with open(path, "w") as f:
                f.write('#!/bin/sh\necho "%s $*" >>"%s/.noted"\n' % (name, where))
                if name == "kubectl":  # apply -f -
                    f.write("cat >/dev/null\n")
            os.chmod(path, 0o755)
        for name in ("tests", "deploy", "docs"):
            os.symlink(os.path.join(TOP, name), os.path.join(where, name))
        os.mkdir(os.path.join(where, "build"))
        os.symlink(BIN, os.path.join(where, "build", "bin"))
        self.env = {"PATH": ":".join((shims, BIN, "/usr/bin:/bin:/usr/sbin:/sbin")), "HOME": where, "TZ": "UTC",
                    "LC_ALL": "C.UTF-8", "FLEETPROBE_BIN": BIN, "TMPDIR": where}
        self.env.update({k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")})

    def run(self, script):
        """What a document puts into /tmp is ours, too: nothing stays for the next run to find."""
        script = script.replace("/tmp/", self.dir + "/")
        p = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=self.dir, env=self.env, timeout=300,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return p.returncode, p.stdout


def check(path, update):
    with open(path) as f:
        text = f.read()
    lines, bad, ran, shift = text.split("\n"), 0, 0, 0
    with tempfile.TemporaryDirectory() as where:
        scratch = Scratch(where)
        for kind, start, body in blocks(text):
            if kind == "sh":
                script = "\n".join(l for l in body if not l.startswith(tuple(ELSEWHERE)))
                code, out = scratch.run(script)
                ran += 1
                if code:
                    bad += 1
                    print("%s:%d: exit code %d\n%s" % (path, start + 1, code, out))
            elif kind == "yaml":
                ran += 1
                problem = config_problem(scratch, body)
                if problem:
                    bad += 1
                    print("%s:%d: %s" % (path, start + 1, problem))
            elif kind == "console":
                new = []
                for command, want in commands(body):
                    _, out = scratch.run(command)
                    got = [l.rstrip() for l in out.rstrip("\n").split("\n")] if out.strip("\n") else []
                    ran += 1
                    new += ["$ " + command.replace("\n", "\n> ")] + got
                    while want and not want[-1].strip():
                        want.pop()
                    if not update and not same(want, got):
                        bad += 1
                        print("%s:%d: $ %s\nexpected:\n%s\ngot:\n%s" %
                              (path, start + 1, command, "\n".join(want), "\n".join(got)))
                if update:
                    new = "\n".join(new).split("\n")
                    lines[start + shift:start + shift + len(body)] = new
                    shift += len(new) - len(body)
    if update:
        with open(path, "w") as f:
            f.write("\n".join(lines))
    print("%s: %d commands and scripts, %d wrong" % (os.path.basename(path), ran, bad))
    return bad == 0 and ran > 0


def main():
    files = [a for a in sys.argv[1:] if not a.startswith("--")]
    if "--complete" in sys.argv:
        sys.exit(0 if complete(files) else 1)
    results = [check(f, "--update" in sys.argv) for f in files]
    sys.exit(0 if results and all(results) else 1)


main()
