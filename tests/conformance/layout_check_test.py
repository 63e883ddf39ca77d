"""layout_check_test.py - each rule of layout_check.py must be able to go red."""
import unittest

from layout_check import check_file, check_symbols

HEAD = "/* x.c - does x. */\n"


def texts(rel, text):
    return [what for _, what in check_file(rel, text)]


class FileRules(unittest.TestCase):
    def test_clean(self):
        self.assertEqual(texts("godb/base/x.c", HEAD + "int f(void)\n{\n    return 1;\n}\n"), [])

    def test_first_line(self):
        for first in ("", "/* y.c - other name. */\n", "/* x.c */\n", "// x.c - does x\n"):
            self.assertTrue(texts("a/x.c", first + "int a;\n"), first)

    def test_file_length(self):
        self.assertEqual(texts("a/x.c", HEAD + "int a;\n" * 799), [])
        self.assertEqual(len(texts("a/x.c", HEAD + "int a;\n" * 800)), 1)

    def test_function_length(self):
        def body(n):
            return HEAD + "void f(void)\n{\n" + "    g();\n" * n + "}\n"
        self.assertEqual(texts("a/x.c", body(70)), [])
        self.assertEqual(len(texts("a/x.c", body(71))), 1)
        table = "    static const int t[] = {\n" + "        1,\n" * 200 + "    };\n"
        head, rest = body(69).split("{\n")
        self.assertEqual(texts("a/x.c", head + "{\n" + table + rest), [])
        head, rest = body(70).split("{\n")
        self.assertEqual(len(texts("a/x.c", head + "{\n" + table + rest)), 1)

    def test_banned(self):
        for call in ("strcpy(a, b)", "x = atoi (s)", "signal(1, f)", "free(p)", "malloc(3)",
                     "if (!system(s))", "strtoul(s, 0, 1)", "q = strdup(p)"):
            self.assertEqual(len(texts("a/x.c", HEAD + f"    {call};\n")), 1, call)

    def test_not_banned(self):
        for call in ("gp_free(p)", "strtok_r(a, b, c)", "localtime_r(a, b)", "o->free(o)",
                     "o.signal(1)", 'puts("free(x)")', "/* calls malloc(3) */", "// system(x)",
                     "int (*free)(void *)", "snprintf(a, 1, b)", "setjmp_like(x)",
                     "free(p); /* layout: allow free - from getline */"):
            self.assertEqual(texts("a/x.c", HEAD + f"    {call};\n"), [], call)

    def test_allow_needs_the_right_name_and_a_reason(self):
        for note in ("/* layout: allow malloc - why */", "/* layout: allow free */"):
            self.assertEqual(len(texts("a/x.c", HEAD + f"    free(p); {note}\n")), 1, note)

    def test_malloc_only_in_base(self):
        text = "/* mem.c - memory. */\n    free(p);\n"
        self.assertEqual(texts("godb/base/mem.c", text), [])
        self.assertEqual(len(texts("godb/store/mem.c", text)), 1)
        banned = "/* mem.c - memory. */\n    atoi(p);\n"
        self.assertEqual(len(texts("godb/base/mem.c", banned)), 1)

    def test_line_number_after_long_comment(self):
        found = check_file("a/x.c", HEAD + "/* a\n * b\n */\n    atoi(p);\n")
        self.assertEqual([n for n, _ in found], [5])


class SymbolRules(unittest.TestCase):
    NM = "\nx.o:\n0000000000000000 T gp_a\n0000000000000000 D %s\n                 U printf\n"

    def test_prefix(self):
        self.assertEqual(check_symbols("base", self.NM % "gp_b"), [])
        self.assertEqual(check_symbols("base", self.NM % "__odr_asan.x"), [])
        self.assertEqual(len(check_symbols("base", self.NM % "helper")), 1)
        self.assertEqual(len(check_symbols("store", self.NM % "godb_x")), 1)  # gp_a is foreign

    def test_unknown_room(self):
        self.assertEqual(len(check_symbols("attic", "")), 1)


if __name__ == "__main__":
    unittest.main()
