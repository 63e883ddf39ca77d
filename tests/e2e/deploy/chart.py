#!/usr/bin/env python3
"""chart.py CHART VALUES.yaml [NAMESPACE] - render a Helm chart to standard output, without helm.

Knows the part of the template language that deploy/kubernetes/fleetprobe keeps to: if, range, else, end, fields,
variables, and the functions quote, toYaml, nindent, required. Anything else is an error.
"""
import glob
import os
import re
import sys

import yaml

ACTION = re.compile(r"\{\{(-)?\s*(.*?)\s*(-)?\}\}", re.S)
WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')


def tokens(text):
    """Text and actions in turn; a dash eats the white space on its side."""
    pos, eat = 0, False
    for m in ACTION.finditer(text):
        piece = text[pos:m.start()]
        piece = piece.lstrip() if eat else piece
        yield "text", piece.rstrip() if m[1] else piece
        yield "action", m[2]
        pos, eat = m.end(), bool(m[3])
    yield "text", text[pos:].lstrip() if eat else text[pos:]


def parse(stream):
    """List of nodes up to else or end, and which of them it was."""
    nodes = []
    for kind, value in stream:
        word = value.split(" ", 1)[0] if kind == "action" else ""
        if word in ("if", "range"):
            body, closing = parse(stream)
            other = parse(stream)[0] if closing == "else" else []
            nodes.append((word, value[len(word):].strip(), body, other))
        elif word in ("else", "end"):
            return nodes, word
        else:
            nodes.append((kind, value))
    return nodes, None


def merge(base, over):
    for k, v in over.items():
        base[k] = merge(dict(base[k]), v) if isinstance(v, dict) and isinstance(base.get(k), dict) else v
    return base


class Chart:
    def __init__(self, path, values, namespace):
        with open(path + "/values.yaml") as f:
            self.values = merge(yaml.safe_load(f), values)
        self.root = {"Values": self.values, "Release": {"Namespace": namespace, "Name": "fleetprobe"}}
        self.path = path

    def field(self, word, scope):
        if word.startswith("$") and not word.startswith("$."):
            name, *path = word[1:].split(".")
            at = scope[name]
        else:
            at, path = self.root, word.lstrip("$")[1:].split(".")
        for p in path:
            if not isinstance(at, dict) or p not in at:
                raise ValueError("no value " + word)
            at = at[p]
        return at

    def call(self, words, piped, scope):
        args = [w[0] if w[1] == "" else int(w[1]) if w[1].isdigit() else self.field(w[1], scope)
                for w in words[words[0][1] in FUNCTIONS:]]
        args += piped
        return FUNCTIONS[words[0][1]](*args) if words[0][1] in FUNCTIONS else args[0]

    def value(self, pipeline, scope):
        piped = []
        for stage in re.split(r"\|(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", pipeline):
            piped = [self.call(WORD.findall(stage), piped, scope)]
        return piped[0]

    def loop(self, node, scope):
        key, name, expr = re.match(r"\$(\w+),\s*\$(\w+)\s*:=\s*(.*)", node[1]).groups()
        items = sorted(self.value(expr, scope).items())
        return "".join(self.run(node[2], {**scope, key: k, name: v}) for k, v in items) or self.run(node[3], scope)

    def run(self, nodes, scope):
        out = []
        for n in nodes:
            if n[0] == "text":
                out.append(n[1])
            elif n[0] == "action":
                v = self.value(n[1], scope)
                out.append({True: "true", False: "false"}.get(v) if isinstance(v, bool) else str(v))
            elif n[0] == "if":
                out.append(self.run(n[2] if self.value(n[1], scope) else n[3], scope))
            else:
                out.append(self.loop(n, scope))
        return "".join(out)

    def render(self):
        out = []
        for path in sorted(glob.glob(self.path + "/templates/*.yaml")):
            with open(path) as f:
                text = self.run(parse(tokens(f.read()))[0], {}).strip("\n")
            if text:
                out.append("---\n# Source: %s\n%s\n" % (os.path.basename(path), text))
        return "".join(out)


def required(message, value):
    if not value:
        raise ValueError(message)
    return value


FUNCTIONS = {
    "quote": lambda v: '"%s"' % str(v).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"),
    "toYaml": lambda v: yaml.safe_dump(v, default_flow_style=False).rstrip("\n"),
    "nindent": lambda n, v: "\n" + "\n".join(" " * n + line for line in v.split("\n")),
    "required": required,
}

if __name__ == "__main__":
    with open(sys.argv[2]) as values:
        sys.stdout.write(Chart(sys.argv[1], yaml.safe_load(values) or {},
                               sys.argv[3] if len(sys.argv) > 3 else "fleetprobe").render())
