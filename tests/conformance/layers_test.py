#!/usr/bin/env python3
"""layers_test.py SOURCE BUILD CMAKE - the layer rule holds: wrong includes do not compile, wrong links do not configure."""
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile
import unittest

SOURCE, BUILD, CMAKE = sys.argv[1:4]


def compile_in(room_file, include):
    """Compile a file that includes one header exactly as a file of that room would be."""
    commands = json.loads((pathlib.Path(BUILD) / "compile_commands.json").read_text())
    entry = next(c for c in commands if c["file"].endswith(room_file))
    args = shlex.split(entry["command"])
    args = args[1:] if "ccache" in args[0] else args
    keep = [a for a in args if a.startswith(("-I", "-isystem", "-D", "-std", "-W"))]
    for flag, value in zip(args, args[1:]):
        if flag == "-isystem":
            keep += [value]
    with tempfile.NamedTemporaryFile("w", suffix=".c") as f:
        f.write(f'#include "{include}"\nextern int unused;\n')
        f.flush()
        return subprocess.run([args[0], *keep, "-fsyntax-only", f.name], capture_output=True, text=True, check=False)


def configure_with(old, new, path):
    """Configure a copy of the tree with one line changed; the output of cmake."""
    with tempfile.TemporaryDirectory() as tmp:
        copy = pathlib.Path(tmp) / "src"
        subprocess.run(["cp", "-r", "--", *[f"{SOURCE}/{d}" for d in
                        ("CMakeLists.txt", "cmake", "godb", "proto", "agent", "aggregator", "cli")],
                        str(copy.parent)], check=True)
        file = copy.parent / path
        text = file.read_text()
        assert old in text, f"{path} has no {old!r}"
        file.write_text(text.replace(old, new, 1))
        r = subprocess.run([CMAKE, "-S", tmp, "-B", tmp + "/b", "-DBUILD_TESTING=OFF"],
                           capture_output=True, text=True, check=False)
        return r.returncode, r.stdout + r.stderr


class Layers(unittest.TestCase):
    def test_includes(self):
        for file, include, ok in (
                ("godb/store/writer.c", "gp/err.h", True),
                ("godb/store/writer.c", "flow/table.h", False),
                ("godb/store/writer.c", "rpc/rpc.h", False),
                ("godb/exec/run.c", "serve/serve.h", False),
                ("aggregator/fanout/fanout.c", "godb/writer.h", False),
                ("aggregator/main.c", "godb/db.h", False)):
            with self.subTest(file=file, include=include):
                r = compile_in(file, include)
                self.assertEqual(r.returncode == 0, ok, r.stderr)
                if not ok:
                    self.assertIn("No such file", r.stderr)

    def test_forbidden_use(self):
        code, out = configure_with("room(store", "room(store USES rpc", "godb/store/CMakeLists.txt")
        self.assertNotEqual(code, 0)
        self.assertIn("layering: 'store' may not use 'rpc'", out)

    def test_behind_the_table(self):
        code, out = configure_with("cmake_language(DEFER", "target_link_libraries(query PRIVATE rpc)\ncmake_language(DEFER",
                                   "CMakeLists.txt")
        self.assertNotEqual(code, 0)
        self.assertIn("behind the table's back", out)

    def test_unchanged_tree_configures(self):
        code, out = configure_with("cmake_minimum", "cmake_minimum", "CMakeLists.txt")
        self.assertEqual(code, 0, out)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
