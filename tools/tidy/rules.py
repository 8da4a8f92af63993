"""What the tree demands of itself, one function per rule.

A rule takes a Tree (paths and texts) and yields Findings; it reads no file and prints nothing, so that tidy_test.py can
show each rule a bad sample. Words that the rules ban are written in two halves, so that this file passes its own check.
"""
import posixpath
import re
from collections import namedtuple

Finding = namedtuple("Finding", "path line message")

WIDTH = 140          # columns
LONG_FILE = 800      # lines; longer ones need a line in ARCHITECTURE.md
P90_LINES = 400      # of all C++ files
ASIO_UNITS = 6       # translation units that may see Asio or Beast

CODE = (".cpp", ".hpp", ".py", ".cmake", ".sh", "CMakeLists.txt", "dev", ".ci/run")
TEXT = CODE + (".md", ".yaml", ".yml", ".json", ".txt", ".html", ".css", ".ts", ".tsx", ".js", ".sql", ".toml", "LICENSE")
NOT_OURS = ("/corpus/", "/seeds/", "/golden/", "bench/results/", "package-lock.json", "LICENSE")


class Tree:
    """Paths of the tree, with '/' between folders, and the text of each file that is text."""

    def __init__(self, texts):
        self.texts = texts
        self.ours = {path: text for path, text in texts.items() if not any(part in path for part in NOT_OURS)}
        self.cpp = {path: text for path, text in self.ours.items() if path.endswith((".cpp", ".hpp"))}
        self.map = texts.get("ARCHITECTURE.md", "")


def is_test(path):
    return path.endswith("_test.cpp") or path.startswith("tests/")


def in_room(path, rooms):
    return any(path.startswith(room + "/") for room in rooms)


def without_comments(text):
    """The code alone: comments and the insides of literals become blanks, line breaks stay."""
    def blank(match):
        found = match.group(0)
        if found.startswith("/"):
            return re.sub(r"[^\n]", " ", found)
        return found[0] + re.sub(r"[^\n]", " ", found[1:-1]) + found[-1]
    pattern = r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'(?![0-9A-Fa-f])'
    return re.sub(pattern, blank, re.sub(r"(?<=[0-9A-Fa-f])'(?=[0-9A-Fa-f])", "_", text), flags=re.S)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


# --- direction of includes -----------------------------------------------------------------------------------------

PURE = ("base", "domain", "codec")
MAY_INCLUDE = {
    "base": (),
    "codec": ("base",),
    "domain": ("base", "codec"),
    "engines": ("base", "domain"),
    "ports": ("base", "codec", "domain"),
    "control": ("base", "codec", "domain", "engines", "ports"),
    "adapters": ("base", "codec", "domain", "ports", "supervisor"),
    "transport": ("base", "codec", "domain", "engines", "ports", "control"),
    "supervisor": ("base",),
    "agent": ("base", "codec", "domain", "ports", "supervisor"),
    "apps": None,     # wires all
}
# What one adapter may use beside: the wrapper that two stores share, the vocabulary of events that views print,
# and the folders of tasks that sites share.
ALSO = {
    "adapters/store_sqlite": ("adapters/sqlite",),
    "adapters/views_sql": ("adapters/sqlite", "control"),
    "adapters/site_process": ("adapters/task_files",),
    "adapters/site_slurm": ("adapters/task_files",),
}
NESTED = ("engines", "adapters")   # their folders are rooms of their own, which do not see each other


def room_of(path):
    parts = path.split("/")
    if parts[0] in NESTED and len(parts) > 2:
        return parts[0] + "/" + parts[1]
    return parts[0]


def includes_of(text):
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', text, re.M):
        yield line_of(text, match.start()), match.group(2), match.group(1) == '"'


def direction(tree):
    for path, text in tree.cpp.items():
        if not path.startswith("src/"):
            continue
        room = room_of(path[4:])
        kind = room.split("/")[0]
        allowed = MAY_INCLUDE.get(kind, ())
        for line, name, ours in includes_of(text):
            if not ours:
                continue
            if name.startswith(".") or "/" not in name:
                yield Finding(path, line, f'"{name}" is not rooted; include it as "{posixpath.dirname(path)[4:]}/..."')
                continue
            target = room_of(name)
            also = ALSO.get(room, ())
            if target == room or allowed is None or target.split("/")[0] in allowed or target in also or target.split("/")[0] in also:
                continue
            if path.endswith("_test.cpp") and kind not in PURE + ("engines",):
                continue
            what = ", ".join(allowed) or "nothing above it"
            yield Finding(path, line, f"{room} includes {name}; {kind} may use {what}: move the noun down or pass a value")


LIBRARIES = (
    (r"boost/(asio|beast)", ("src/transport",), "Asio and Beast"),
    (r"boost/json|nlohmann/|rapidjson/", ("src/codec", "src/transport", "src/adapters"), "JSON headers"),
    (r"sqlite3\.h", ("src/adapters/sqlite", "src/adapters/store_sqlite", "src/adapters/views_sql"), "SQLite"),
    (r"libpq-fe\.h|postgresql/", ("src/adapters/store_postgres", "src/adapters/views_sql"), "libpq"),
    (r"curl/", ("src/adapters", "src/transport"), "curl"),
    (r"yaml-cpp/", ("src/codec",), "YAML headers"),
    (r"CLI/", ("src/apps",), "CLI11"),
)


def libraries(tree):
    for path, text in tree.cpp.items():
        if not path.startswith("src/"):
            continue
        for line, name, _ in includes_of(text):
            for pattern, rooms, what in LIBRARIES:
                if re.match(pattern, name) and not in_room(path, rooms):
                    yield Finding(path, line, f"{what} are banned here, use a port; they belong in {', '.join(rooms)}")


def asio_units(tree):
    """Counts translation units that see Asio or Beast, through our own headers too."""
    seen = {}

    def sees(path):
        if path not in seen:
            seen[path] = False   # stops a cycle
            text = tree.cpp.get(path, "")
            seen[path] = any(re.match(r"boost/(asio|beast)", name) or (ours and sees("src/" + name)) for _, name, ours in includes_of(text))
        return seen[path]

    units = sorted(p for p in tree.cpp if p.startswith("src/") and p.endswith(".cpp") and not is_test(p) and sees(p))
    for path in units:
        if not path.startswith("src/transport/"):
            yield Finding(path, 1, "sees Asio or Beast through a header; hide it behind a header without them")
    if len(units) > ASIO_UNITS:
        yield Finding(units[ASIO_UNITS], 1, f"{len(units)} translation units see Asio or Beast, {ASIO_UNITS} may: {', '.join(units)}")


# --- banned words --------------------------------------------------------------------------------------------------

Ban = namedtuple("Ban", "pattern name instead where")


def everywhere(path):
    return True


def outside(*rooms):
    return lambda path: not in_room(path, rooms)


def inside(*rooms):
    return lambda path: in_room(path, rooms)


WORLD = ("src/apps", "src/adapters", "src/transport", "src/agent", "src/supervisor", "bench", "tests")
DISTRIBUTIONS = r"\bstd::(?:\w+_distribution|shuffle|random_shuffle|sample)\b"
BANS = (
    Ban(r"\bstd::s?rand\b", "std::r" "and", "weir::Random (base/random.hpp)", everywhere),
    Ban(r"\bstd::random_device\b", "std::random" "_device", "a seed that the caller brings", outside(*WORLD)),
    Ban(DISTRIBUTIONS, "a standard distribution", "weir::Random::below or between: the same on every library", everywhere),
    Ban(r"\bsystem_clock::now\b", "system_clock" "::now", "an Instant that the caller brings", outside(*WORLD)),
    Ban(r"\bsteady_clock::now\b", "steady_clock" "::now", "an Instant that the caller brings", outside(*WORLD)),
    Ban(r"\bhigh_resolution_clock\b", "high_resolution" "_clock", "steady_clock", everywhere),
    Ban(r"\b(?:sleep_for|sleep_until|usleep|nanosleep)\b", "sleeping", "waiting for the event itself, with a deadline", is_test),
    Ban(r"\busing\s+namespace\s+std\b(?!::)", "using namespace" " std", "qualified names", everywhere),
    Ban(r"\bcatch\s*\(\s*\.\.\.\s*\)\s*\{\s*\}", "an empty catch-all", "a named exception, and say what it means", everywhere),
    Ban(r"\b(?:sprintf|strcpy|strcat|strtok|atoi|atol|atof)\s*\(", "an unchecked C string function", "fmt or std::from_chars", everywhere),
    Ban(r"(?<!EXPECT_TRUE\()(?<!ASSERT_TRUE\()\brc::ch" r"eck\s*\(", "a bare rc::ch" "eck",
        "EXPECT_TRUE around it: alone it asserts nothing", everywhere),
    Ban(r"\bFRIEND" r"_TEST\b", "FRIEND" "_TEST", "a pure function that the test can call", everywhere),
    Ban(r"\bco_(?:await|return|yield)\b", "a coroutine", "a plain function: coroutines live in src/transport",
        outside("src/transport", "tests", "bench")),
    Ban(r"\b(?:double|float)\b", "floating point", "integers: this room owes money",
        inside("src/engines/ledger", "src/engines/subsidy", "src/engines/rating", "src/engines/market")),
)
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")


def banned_words(tree):
    for path, text in tree.cpp.items():
        code = without_comments(text)
        for ban in BANS:
            if not ban.where(path):
                continue
            for match in re.finditer(ban.pattern, code):
                yield Finding(path, line_of(code, match.start()), f"{ban.name} is banned, use {ban.instead}")


def unfinished(tree):
    for path, text in tree.ours.items():
        for match in UNFINISHED.finditer(text):
            yield Finding(path, line_of(text, match.start()), f"{match.group(0)} is banned, use an issue or finish it")


def co_await_operand(tree):
    """The operand ends at ';', at an unmatched closing bracket, or at a ',' outside all brackets."""
    for path, text in tree.cpp.items():
        code = without_comments(text)
        for match in re.finditer(r"\bco_await\b", code):
            depth = 0
            before = ""
            for character in code[match.end():]:
                if character in ";," and depth == 0:
                    break
                if character == "{" or (character == "[" and not re.match(r"[\w)\]]", before)):
                    what = "a lambda" if character == "[" else "braces"
                    where = line_of(code, match.start())
                    yield Finding(path, where, f"{what} in the operand of co_await is banned, use a name on the line above")
                    break
                depth += (character in "([") - (character in ")]")
                if depth < 0:
                    break
                if not character.isspace():
                    before = character


# --- shape of files ------------------------------------------------------------------------------------------------

def shape(tree):
    for path, text in tree.ours.items():
        if not path.endswith(TEXT):
            continue
        if text and not text.endswith("\n"):
            yield Finding(path, text.count("\n") + 1, "the last line has no end; add a newline")
        for number, line in enumerate(text.split("\n"), 1):
            if line != line.rstrip():
                yield Finding(path, number, "trailing whitespace is banned, use none")
            if "\t" in line and not path.endswith((".md", ".json", "Makefile")):
                yield Finding(path, number, "a tab is banned, use spaces")
            if len(line) > WIDTH and path.endswith(CODE):
                yield Finding(path, number, f"the line has {len(line)} columns, {WIDTH} are allowed; break it")


def headers(tree):
    for path, text in tree.cpp.items():
        if not path.endswith(".hpp"):
            continue
        name = path[4:] if path.startswith("src/") else path
        if path.startswith("src/") and not text.startswith(f"// {name}: "):
            yield Finding(path, 1, f"the header comment is missing; start with `// {name}: ` and a caption")
        elif not text.startswith("//"):
            yield Finding(path, 1, "the header comment is missing; start with `//` and a caption")
        if not re.search(r"^#pragma once$", text, re.M):
            yield Finding(path, 1, "an include guard is missing, use #pragma once")


def sources(tree):
    for path, text in tree.cpp.items():
        if path.endswith(".cpp") and not re.match(r"//|#\s*include|/\*", text):
            yield Finding(path, 1, "the first line says nothing; start with a `//` caption or the file's own #include")


def lengths(tree):
    counts = sorted((text.count("\n"), path) for path, text in tree.cpp.items())
    for lines, path in counts:
        if lines > LONG_FILE and path not in tree.map:
            yield Finding(path, lines, f"{lines} lines, {LONG_FILE} are allowed; split it, or give its reason a line in ARCHITECTURE.md")
    if counts:
        p90 = counts[(len(counts) * 9 - 1) // 10]
        if p90[0] > P90_LINES:
            yield Finding(p90[1], p90[0], f"one file in ten is longer than {p90[0]} lines, {P90_LINES} are allowed; split the longest")


# --- the tree as a whole -------------------------------------------------------------------------------------------

def captions(tree):
    if "ARCHITECTURE.md" not in tree.texts:
        return
    folders = {posixpath.dirname(path) for path in tree.texts if path.startswith("src/")} - {"src"}
    for folder in sorted(folders):
        if any(part in folder + "/" for part in NOT_OURS):
            continue
        if not re.search(r"`" + re.escape(folder) + r"/?`\W+\w", tree.map):
            yield Finding("ARCHITECTURE.md", 1, f"`{folder}` has no caption; add a line with `{folder}` and what it is for")


def dead_files(tree):
    """A source whose folder (or one above it) has no CMakeLists.txt is compiled by nobody."""
    for path in tree.cpp:
        if path.endswith(".cpp") and path.startswith(("src/", "sim/", "tests/", "bench/")):
            folder = posixpath.dirname(path)
            while folder and folder + "/CMakeLists.txt" not in tree.texts:
                folder = posixpath.dirname(folder)
            if folder in ("", "src"):
                yield Finding(path, 1, "no CMakeLists.txt builds this file; add its room or remove it")


PLACES = re.compile(
    r"(?<![\w.}*\])/-])/(?:wo" r"rk|fa" r"rm|ro" r"ot|ho" r"me)/\w|/tmp/we" r"ir|"
    r"\b(?:(?:deb|security)\.deb" r"ian\.org|py" r"pi\.org|registry\.np" r"mjs\.org|cra" r"tes\.io|"
    r"reg" r"istry\.[a-z]+\.\w+|mirr" r"or\.[a-z]+\.\w+)\b")


def places(tree):
    for path, text in tree.ours.items():
        for match in PLACES.finditer(text):
            yield Finding(path, line_of(text, match.start()), f"'{match.group(0)}' names one machine or registry; take it as an argument")


def links(tree):
    for path, text in tree.ours.items():
        if not path.endswith(".md"):
            continue
        for match in re.finditer(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            target = match.group(1)
            if re.match(r"[a-z]+:", target):
                continue
            full = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
            if full not in tree.texts and not any(known.startswith(full + "/") for known in tree.texts):
                yield Finding(path, line_of(text, match.start()), f"the link to {target} leads nowhere; the tree has no {full}")


RULES = (direction, libraries, asio_units, banned_words, unfinished, co_await_operand, shape, headers, sources, lengths, captions,
         dead_files, places, links)
