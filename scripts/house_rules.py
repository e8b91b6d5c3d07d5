"""Rules of this code base that no other linter knows. Prints each breach and exits with 1 if there is one."""

import pathlib
import re
import sys

import distribution
import limits
import migrations

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAX_LINES = 400

# Which targets may import a C module: those that wrap it, so that pointers go no further.
WRAPPERS = {
    "CCurl": {"Curl"},
    "CLinux": {"Base", "HTTP2", "NATS", "ProtobufRuntime", "StoragePostgreSQL"},
    "CNghttp2": {"HTTP2"},
    "COpenSSL": {"Cryptography", "HTTP2", "NATS"},
    "CPostgreSQL": {"StoragePostgreSQL"},
    "CSQLite": {"StorageSQLite"},
    "CSodium": {"Cryptography"},
    "CUtf8proc": {"Normalization"},
    "CZlib": {"Compression"},
    "CProtobufC": {"ProtobufRuntime", "protoc-gen-octet"},
    "CDescriptor": {"ProtobufRuntime", "protoc-gen-octet"},
    "COptions": {"protoc-gen-octet"},
}
# Engines and tools: the tables that they speak of are in no migration of a component.
WITHOUT_OWN_TABLES = {"StorageSQLite", "StoragePostgreSQL", "storage-bench"}
# Tables that only a database has which serves the benchmark.
ONLY_OF_BENCHMARKS = {"TransactionShapes"}
# Constructs that need their reason in a comment on the line or just above.
NEEDS_REASON = re.compile(r"@unchecked Sendable|nonisolated\(unsafe\)|\btry!|[\w)\]]!(?=[.\s),\[]|$)")
# What old nodes have prepared fails when a column is added: "cached plan must not change result type".
ALL_COLUMNS = re.compile(r"\b(?:SELECT|RETURNING) (?:\w+\.)?\*")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
IMPORT = re.compile(r"^\s*(?:@\w+\s+)?(?:(?:public|internal|private|fileprivate|package)\s+)?import\s+(\w+)", re.M)
GUIDE_OF_LIMITS = "docs/guides/limits.md"
# The modules of the library: what they bound stands in their files of limits, and nowhere else.
LIBRARY = ("Compression", "HTTP2", "Observability", "ProtobufRuntime", "RPC", "StandardServices", "WebProtocols")
LIMITING = "max|most|longest|largest|deepest|greatest|kept|retained|reserved|usual"
STRAY_LIMIT = re.compile(rf"static let ((?:{LIMITING})\w*)\b[^=\n]*= *[\d.]")
# Names that sound so, and are others' choice: of a protocol or a format.
NO_CHOICE = {
    "TimeoutHeader": {"longest"},  # The digits of grpc-timeout.
    "Frame": {"maxConcurrentStreams", "maxFrameSize", "maxHeaderListSize", "maxWindow", "largestFrameSize", "largestStreamID"},
    "WirePack": {"longestNumber"},  # A tag and a varint.
    "FieldDescriptor": {"greatestNumber"},  # Of protobuf's fields.
    "Arena": {"longestCopy"},  # What is cheaper, copying or lending.
}


# The opening line of a block of code in a guide that is taken from a file, such as ```swift Examples/Pinboard/A.swift
EXCERPT = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.M | re.S)


def swift_files():
    for top in ("Sources", "Tests", "Examples/Pinboard"):
        for path in sorted((ROOT / top).rglob("*.swift")):
            if "Generated" not in path.parts and path.name != "Placeholder.swift":
                yield path


def target_of(path):
    parts = path.relative_to(ROOT).parts
    return parts[2] if parts[:2] == ("Sources", "Domains") else parts[1]


def is_of_tests(path):
    return "Tests" in path.relative_to(ROOT).parts[:3]


def has_own_tables(path):
    return not is_of_tests(path) and target_of(path) not in WITHOUT_OWN_TABLES


def files_with_migrations():
    """The files whose tables are an octetd's, or an example's."""
    return filter(has_own_tables, swift_files())


def code_of(line):
    """The line without its comment and string literals, so that prose is not taken for code."""
    return re.sub(r'"(?:\\.|[^"\\])*"', '""', line).split("//")[0]


def breaches(path):
    text = path.read_text()
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        yield f"{len(lines)} lines; {MAX_LINES} at most"
    is_test = is_of_tests(path)
    if has_own_tables(path):
        yield from distribution.breaches(text)
        yield from migrations.breaches(text)
        for literal in migrations.LITERAL.finditer(text):
            if ALL_COLUMNS.search(literal.group()):
                yield "a statement names its columns: with * it fails on old nodes when one is added"
    for module in IMPORT.findall(text):
        allowed = WRAPPERS.get(module)
        if allowed is not None and target_of(path) not in allowed and not is_test:
            yield f"imports {module}, which only {', '.join(sorted(allowed))} may"
        if module == "XCTest":
            yield "uses XCTest; tests are written with Swift Testing"
    in_multiline_string = False
    for number, line in enumerate(lines, start=1):
        if line.count('"""') % 2 == 1:
            in_multiline_string = not in_multiline_string
            continue
        if in_multiline_string:
            continue
        if UNFINISHED.search(line):
            yield f"{number}: unfinished work"
        if is_test or not NEEDS_REASON.search(code_of(line)):
            continue
        around = lines[max(0, number - 4) : number + 2]
        if not any("//" in near for near in around):
            yield f"{number}: {NEEDS_REASON.search(code_of(line)).group(0)} without its reason in a comment"


def table_breaches():
    """What holds for all tables together."""
    texts = {path: path.read_text() for path in files_with_migrations()}
    tables = {table for text in texts.values() for table, _, _ in distribution.declared(text)}
    script = ROOT / "scripts/distribution.py"
    for table in sorted(set(distribution.EXCEPTIONS) - tables):
        yield script, f"EXCEPTIONS has {table}, which is no table"
    for breach in distribution.foreign_key_breaches(texts.values()):
        yield script, breach
    yield from tables_without_golden_file(texts)


def tables_without_golden_file(texts):
    """What each engine makes of every table of an octetd is checked in."""
    for engine in ("sqlite", "postgresql"):
        files = sorted((ROOT / "Tests/Golden").glob(f"*-{engine}.sql"))
        known = {table for file in files for table in re.findall(r"^CREATE TABLE (\w+)", file.read_text(), re.M)}
        for path, text in texts.items():
            if target_of(path) in ONLY_OF_BENCHMARKS or "Examples" in path.relative_to(ROOT).parts:
                continue
            for table in sorted({table for table, _, _ in distribution.declared(text)} - known):
                yield path, f"{table} is in no Tests/Golden/*-{engine}.sql"


def names_limit(test, owner, name):
    """Whether a test names a limit, and not only something that is called alike: by its type, as a property of limits or
    of what has their defaults (`limits.name`, `RPCLimits().name`, `shape.name`, `{ $0.name = 1 }`), or as an argument of
    the type's initializer."""
    if re.search(rf"\b{owner}\.{name}\b", test):
        return True
    of_limits = rf"\b(?:{owner}\(\)|limits|[a-z]\w*Limits|shape|options)[?!]?\.{name}\b|\$0\.{name} = "
    argument = rf"\b{owner}\((?:[^()]|\([^()]*\))*\b{name}:"
    return re.search(f"{of_limits}|{argument}", test) is not None


def limits_without_test():
    """Each limit must be named in a test."""
    files = sorted(path for path in (ROOT / "Tests").rglob("*") if path.suffix in (".swift", ".py"))
    tests = [path.read_text() for path in files]
    for limit in limits.limits(ROOT):
        # Looking for the word alone is many times as fast as the expressions, and most files do not have it.
        if not any(limit.name in text and names_limit(text, limit.owner, limit.name) for text in tests):
            yield limit.path, f"no test names {limit.owner}.{limit.name}"


def limits_out_of_place():
    """Each module has one file of limits, the guide leads to all of them, and the library's modules have no others."""
    guide = ROOT / GUIDE_OF_LIMITS
    text = guide.read_text() if guide.is_file() else ""
    files = {}
    for limit in limits.limits(ROOT):
        files.setdefault(target_of(limit.path), set()).add(limit.path)
    for paths in files.values():
        for path in sorted(paths):
            if f"](../../{path.relative_to(ROOT)})" not in text:
                yield path, f"{GUIDE_OF_LIMITS} does not lead to it"
        if len(paths) > 1:
            yield sorted(paths)[-1], f"a module has one file of limits, and this has {len(paths)}"
    for target in LIBRARY:
        for path in sorted((ROOT / "Sources" / target).rglob("*.swift")):
            if path.name.endswith("Limits.swift"):
                continue
            for name in STRAY_LIMIT.findall(path.read_text()):
                if name not in NO_CHOICE.get(path.stem, ()):
                    yield path, f"{name} belongs into the limits of {target}"


def stale_list_of_limits():
    """The list of all limits says what their files say."""
    path = ROOT / limits.LIST
    if not path.is_file() or path.read_text() != limits.listing(ROOT):
        yield path, "python3 scripts/limits.py writes something else"


def broken_links():
    """Relative links of the guides must lead to files."""
    for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = re.sub(r"```.*?```", "", path.read_text(), flags=re.S)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            file = target.split("#")[0]
            if file and not re.match(r"[a-z]+:", file) and not (path.parent / file).exists():
                yield path, f"the link to {target} leads nowhere"


def stale_excerpts():
    """Code in the guides that is said to be a file's is there, word for word; a line of three dots leaves lines out."""
    for path in sorted((ROOT / "docs").rglob("*.md")):
        for name, code in EXCERPT.findall(path.read_text()):
            file = ROOT / name
            text, position = "\n" + (file.read_text() if file.is_file() else ""), 0
            for part in re.split(r"^ *…\n", code, flags=re.M):
                position = text.find("\n" + part.rstrip("\n") + "\n", position)
                if position < 0:
                    yield path, f"{name} does not have these lines: {part.strip().splitlines()[0]}"
                    break


def all_breaches():
    for path in swift_files():
        for breach in breaches(path):
            yield path, breach
    yield from table_breaches()
    yield from limits_without_test()
    yield from limits_out_of_place()
    yield from stale_list_of_limits()
    yield from broken_links()
    yield from stale_excerpts()


def main():
    found = 0
    for path, breach in all_breaches():
        print(f"{path.relative_to(ROOT)}: {breach}")
        found += 1
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
