#!/usr/bin/env python3
"""Goal: every rule catches its bad sample, says so in its own words, and leaves the good sample alone.

Method: one row per case: the rule, a small tree, and what must be found as (path, line, a piece of the message).
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import banned_symbols  # noqa: E402
import rules  # noqa: E402

TOP = "// base/a.hpp: a caption.\n#pragma once\n"
MAP = "`src/base` values\n"


def cpp(text, path="src/transport/x.cpp"):
    return {path: '#include "transport/x.hpp"\n' + text}


CASES = [
    # --- direction: who may include whom
    ("direction", {"src/base/a.cpp": '#include "domain/job.hpp"\n'}, [("src/base/a.cpp", 1, "base includes domain/job.hpp")]),
    ("direction", {"src/domain/a.cpp": '#include "base/id.hpp"\n'}, []),
    ("direction", {"src/engines/ledger/a.cpp": '#include "engines/ledger/b.hpp"\n#include "engines/scheduler/c.hpp"\n'},
     [("src/engines/ledger/a.cpp", 2, "engines/ledger includes engines/scheduler/c.hpp")]),
    ("direction", {"src/engines/ledger/a.cpp": '#include "control/state.hpp"\n'}, [("src/engines/ledger/a.cpp", 1, "engines/ledger")]),
    ("direction", {"src/control/a.cpp": '#include "engines/ledger/b.hpp"\n#include "ports/store.hpp"\n'}, []),
    ("direction", {"src/control/a.cpp": '#include "adapters/store_sqlite/b.hpp"\n'}, [("src/control/a.cpp", 1, "control includes")]),
    ("direction", {"src/ports/a.hpp": '#include "control/b.hpp"\n'}, [("src/ports/a.hpp", 1, "ports includes control")]),
    ("direction", {"src/apps/a.cpp": '#include "transport/http/b.hpp"\n'}, []),
    ("direction", {"src/adapters/store_sqlite/a_test.cpp": '#include "adapters/views_sql/b.hpp"\n'}, []),
    ("direction", {"src/base/a.cpp": '#include "b.hpp"\n'}, [("src/base/a.cpp", 1, "not rooted")]),
    # --- libraries: who may see which headers
    ("libraries", {"src/domain/a.cpp": "#include <boost/json.hpp>\n"}, [("src/domain/a.cpp", 1, "JSON headers")]),
    ("libraries", {"src/codec/a.cpp": "#include <boost/json.hpp>\n"}, []),
    ("libraries", {"src/control/a.cpp": "#include <sqlite3.h>\n"}, [("src/control/a.cpp", 1, "SQLite")]),
    ("libraries", {"src/adapters/store_sqlite/a.cpp": "#include <sqlite3.h>\n"}, []),
    ("libraries", {"src/transport/a.cpp": "#include <libpq-fe.h>\n"}, [("src/transport/a.cpp", 1, "libpq")]),
    ("libraries", {"src/control/a.cpp": "#include <yaml-cpp/yaml.h>\n"}, [("src/control/a.cpp", 1, "YAML")]),
    ("libraries", {"src/control/a.cpp": "#include <curl/curl.h>\n"}, [("src/control/a.cpp", 1, "curl")]),
    ("libraries", {"src/agent/a.cpp": "#include <boost/asio.hpp>\n"}, [("src/agent/a.cpp", 1, "Asio and Beast")]),
    ("asio_units", {"src/apps/a.cpp": '#include "transport/b.hpp"\n', "src/transport/b.hpp": "#include <boost/beast.hpp>\n"},
     [("src/apps/a.cpp", 1, "through a header")]),
    ("asio_units", {f"src/transport/{n}.cpp": "#include <boost/asio.hpp>\n" for n in range(6)}, []),
    ("asio_units", {f"src/transport/{n}.cpp": "#include <boost/asio.hpp>\n" for n in range(7)},
     [("src/transport/6.cpp", 1, "7 translation units")]),
    # --- banned words
    ("banned_words", cpp("int x = std::" "rand();\n"), [("src/transport/x.cpp", 2, "weir::Random")]),
    ("banned_words", cpp("// std::" "rand in prose\nauto s = \"std::" "rand\";\n"), []),
    ("banned_words", cpp("std::random" "_device d;\n", "src/control/x.cpp"), [("src/control/x.cpp", 2, "a seed that the caller brings")]),
    ("banned_words", cpp("std::random" "_device d;\n", "src/apps/x.cpp"), []),
    ("banned_words", cpp("std::uniform_int" "_distribution<int> d;\n"), [("src/transport/x.cpp", 2, "a standard distribution")]),
    ("banned_words", cpp("std::" "shuffle(a, b, r);\n"), [("src/transport/x.cpp", 2, "a standard distribution")]),
    ("banned_words", cpp("auto t = system_clock" "::now();\n", "src/engines/e/x.cpp"), [("src/engines/e/x.cpp", 2, "an Instant")]),
    ("banned_words", cpp("using clock = high_resolution" "_clock;\n"), [("src/transport/x.cpp", 2, "steady_clock")]),
    ("banned_words", cpp("auto t = std::chrono::steady_clock" "::now();\n", "sim/x.cpp"), [("sim/x.cpp", 2, "an Instant")]),
    ("banned_words", cpp("auto t = std::chrono::system_clock" "::now();\n", "src/apps/x.cpp"), []),
    ("banned_words", cpp("std::this_thread::sleep" "_for(1s);\n", "src/agent/x_test.cpp"), [("src/agent/x_test.cpp", 2, "deadline")]),
    ("banned_words", cpp("usl" "eep(1);\n", "tests/x.cpp"), [("tests/x.cpp", 2, "deadline")]),
    ("banned_words", cpp("using namespace" " std;\n"), [("src/transport/x.cpp", 2, "qualified names")]),
    ("banned_words", cpp("using namespace" " std::chrono;\n"), []),
    ("banned_words", cpp("try { f(); } catch (...) " "{\n}\n"), [("src/transport/x.cpp", 2, "a named exception")]),
    ("banned_words", cpp("try { f(); } catch (...) { std::terminate(); }\n"), []),
    ("banned_words", cpp("sprint" "f(a, b);\n"), [("src/transport/x.cpp", 2, "fmt or std::from_chars")]),
    ("banned_words", cpp("void f() {\n    rc::ch" "eck(x);\n}\n", "src/base/x_test.cpp"), [("src/base/x_test.cpp", 3, "asserts nothing")]),
    ("banned_words", cpp("EXPECT_TRUE(rc::ch" "eck(x));\nASSERT_TRUE(rc::ch" "eck(y));\n", "src/base/x_test.cpp"), []),
    ("banned_words", cpp("FRIEND" "_TEST(a, b);\n"), [("src/transport/x.cpp", 2, "a pure function")]),
    ("banned_words", cpp("co_" "return 1;\n", "src/agent/x.cpp"), [("src/agent/x.cpp", 2, "coroutines live in src/transport")]),
    ("banned_words", cpp("double fen;\n", "src/engines/ledger/x.cpp"), [("src/engines/ledger/x.cpp", 2, "owes money")]),
    ("banned_words", cpp("double score;\n", "src/engines/scheduler/x.cpp"), []),
    ("banned_words", cpp("constexpr int n = 1'000; std::" "rand();\n"), [("src/transport/x.cpp", 2, "weir::Random")]),
    ("unfinished", {"README.md": "one\nTO" "DO: two\n"}, [("README.md", 2, "finish it")]),
    ("unfinished", cpp("// FIX" "ME\n"), [("src/transport/x.cpp", 2, "finish it")]),
    # --- the operand of co_await
    ("co_await_operand", cpp("co_await f([x] { return x; });\n"), [("src/transport/x.cpp", 2, "a lambda")]),
    ("co_await_operand", cpp("co_await f([] { return 1; });\n"), [("src/transport/x.cpp", 2, "a lambda")]),
    ("co_await_operand", cpp("co_await f(Options{1});\n"), [("src/transport/x.cpp", 2, "braces")]),
    ("co_await_operand", cpp("co_await\n    f({.x = 1});\n"), [("src/transport/x.cpp", 2, "braces")]),
    ("co_await_operand", cpp("const auto [error, n] = co_await f(table[3], g(x)[1]);\n"), []),
    ("co_await_operand", cpp("while (co_await next()) {\n    g();\n}\n"), []),
    ("co_await_operand", cpp("auto all = list{co_await a(), co_await b()};\n"), []),
    # --- shape
    ("shape", {"a.yaml": "a: 1"}, [("a.yaml", 1, "newline")]),
    ("shape", {"a.yaml": "a: 1 \n"}, [("a.yaml", 1, "trailing whitespace")]),
    ("shape", {"a.cmake": "\tx()\n"}, [("a.cmake", 1, "a tab")]),
    ("shape", {"a.py": "#" * 140 + "\n"}, []),
    ("shape", {"a.py": "1\n" + "#" * 141 + "\n"}, [("a.py", 2, "141 columns")]),
    ("shape", {"a.py": "#" + "堰" * 139 + "\n"}, []),
    ("shape", {"tests/golden/a.yaml": "a: 1"}, []),
    ("headers", {"src/base/a.hpp": TOP}, []),
    ("headers", {"src/base/a.hpp": "#pragma once\n"}, [("src/base/a.hpp", 1, "header comment")]),
    ("headers", {"src/base/a.hpp": TOP.replace("a.hpp", "b.hpp")}, [("src/base/a.hpp", 1, "header comment")]),
    ("headers", {"src/base/a.hpp": "// base/a.hpp: a caption.\n"}, [("src/base/a.hpp", 1, "include guard")]),
    ("sources", {"src/base/a.cpp": '#include "base/a.hpp"\n'}, []),
    ("sources", {"src/base/a.cpp": "\nint a;\n"}, [("src/base/a.cpp", 1, "says nothing")]),
    ("lengths", {"src/base/a.cpp": "//\n" * 801, **{f"src/base/{n}.cpp": "//\n" for n in range(20)}},
     [("src/base/a.cpp", 801, "801 lines")]),
    ("lengths", {"src/base/a.cpp": "//\n" * 801, "ARCHITECTURE.md": "src/base/a.cpp is long: why\n",
                 **{f"src/base/{n}.cpp": "//\n" for n in range(20)}}, []),
    ("lengths", {f"src/base/{n}.cpp": "//\n" * 401 for n in range(3)}, [("src/base/2.cpp", 401, "one file in ten")]),
    # --- the tree as a whole
    ("captions", {"ARCHITECTURE.md": MAP, "src/base/a.cpp": ""}, []),
    ("captions", {"ARCHITECTURE.md": MAP, "src/domain/a.cpp": ""}, [("ARCHITECTURE.md", 1, "`src/domain` has no caption")]),
    ("captions", {"ARCHITECTURE.md": "`src/base`\n", "src/base/a.cpp": ""}, [("ARCHITECTURE.md", 1, "`src/base` has no caption")]),
    ("captions", {"ARCHITECTURE.md": MAP, "src/base/a.cpp": "", "src/base/corpus/x": ""}, []),
    ("dead_files", {"src/base/CMakeLists.txt": "", "src/base/a.cpp": ""}, []),
    ("dead_files", {"src/CMakeLists.txt": "", "src/base/a.cpp": ""}, [("src/base/a.cpp", 1, "no CMakeLists.txt")]),
    ("places", {"a.txt": "see /wo" "rk/main\n"}, [("a.txt", 1, "names one machine")]),
    ("places", {"a.txt": "see build/wo" "rk/x and https://a.b/ho" "me/x\n"}, []),
    ("places", {"a.txt": "from deb.deb" "ian.org\n"}, [("a.txt", 1, "names one machine or registry")]),
    ("links", {"README.md": "[a](docs/a.md) [b](https://example.org/b) [c](src)\n", "docs/a.md": "", "src/x": ""}, []),
    ("links", {"docs/a.md": "\n[a](b.md)\n"}, [("docs/a.md", 2, "leads nowhere")]),
]


class Rules(unittest.TestCase):
    def test_each_sample(self):
        for rule, texts, expected in CASES:
            with self.subTest(rule=rule, texts=texts):
                found = sorted(getattr(rules, rule)(rules.Tree(texts)))
                self.assertEqual([(f.path, f.line) for f in found], [(path, line) for path, line, _ in expected], found)
                for finding, (_, _, piece) in zip(found, expected):
                    self.assertIn(piece, finding.message)

    def test_every_rule_has_a_bad_sample(self):
        shown = {rule for rule, _, expected in CASES if expected}
        self.assertEqual({rule.__name__ for rule in rules.RULES} - shown, set())

    def test_every_ban_has_a_bad_sample(self):
        found = [f.message for rule, texts, _ in CASES if rule == "banned_words" for f in rules.banned_words(rules.Tree(texts))]
        for ban in rules.BANS:
            self.assertTrue(any(message.startswith(ban.name + " is banned") for message in found), ban.name)


class BannedSymbols(unittest.TestCase):
    def test_symbols_of_the_world_and_of_no_world(self):
        for symbol, kind in (
                ("clock_gettime", "clock"), ("_ZNSt6chrono3_V212steady_clock3nowEv", "clock"), ("connect", "socket"), ("openat64", "file"),
                ("_ZNSt14basic_ifstreamIcSt11char_traitsIcEEC1EPKcSt13_Ios_Openmode", "file"),
                ("_ZNSt13basic_filebufIcSt11char_traitsIcEEC1Ev", "file"), ("_ZNSt10filesystem6statusERKNS_7__cxx114pathE", "file"),
                ("_ZSt4cout", "terminal"), ("getenv", "environment"), ("localtime_r", "environment"), ("pthread_create", "thread"),
                ("_ZNSt6thread4joinEv", "thread"), ("execve", "thread"), ("_ZNSt13random_device9_M_getvalEv", "random device"),
                ("memcpy", None), ("SHA256_Init", None), ("_ZNSt7__cxx1119basic_ostringstreamIcSt11char_traitsIcESaIcEEC1Ev", None),
                ("timer_of_a_job", None), ("_ZNSt10filesystem7__cxx114path14_M_split_cmptsEv", None)):
            self.assertEqual(banned_symbols.kind_of(symbol), kind, symbol)

    def test_a_real_object_that_reads_the_clock(self):
        for code, status in (("#include <chrono>\nauto f() { return std::chrono::steady_clock" "::now(); }\n", 1),
                             ("int f(int x) { return x + 1; }\n", 0)):
            with tempfile.TemporaryDirectory() as folder:
                source, built, library = (str(pathlib.Path(folder, name)) for name in ("x.cpp", "x.o", "libx.a"))
                pathlib.Path(source).write_text(code)
                subprocess.run(["clang++-19", "-c", source, "-o", built], check=True)
                subprocess.run(["ar", "rc", library, built], check=True)
                done = subprocess.run([sys.executable, banned_symbols.__file__, library], capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, status, done.stdout)
                self.assertEqual("reaches for a clock" in done.stdout, status == 1, done.stdout)


if __name__ == "__main__":
    unittest.main()
