"""Rules of this code base that no other linter knows. Prints each breach and exits with 1 if there is one."""

import pathlib
import re
import sys

import distribution

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
# Constructs that need their reason in a comment on the line or just above.
NEEDS_REASON = re.compile(r"@unchecked Sendable|nonisolated\(unsafe\)|\btry!|[\w)\]]!(?=[.\s),\[]|$)")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
IMPORT = re.compile(r"^\s*(?:@\w+\s+)?(?:(?:public|internal|private|fileprivate|package)\s+)?import\s+(\w+)", re.M)
# Files that are named like a list of limits and are none.
NO_LIMITS = {"SharedLimits", "InteropClient+Limits"}
# A limit: a stored property with a value or, in a struct that has an initializer for them, a public type.
LIMIT = re.compile(r"^  (?:public |package )?(?:static let|var|let) (\w+)(?: =|: [\w.\[\]?]+(?: =|$))", re.M)


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


def code_of(line):
    """The line without its comment and string literals, so that prose is not taken for code."""
    return re.sub(r'"(?:\\.|[^"\\])*"', '""', line).split("//")[0]


def breaches(path):
    text = path.read_text()
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        yield f"{len(lines)} lines; {MAX_LINES} at most"
    is_test = is_of_tests(path)
    if not is_test and target_of(path) not in WITHOUT_OWN_TABLES:
        yield from distribution.breaches(text)
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


def limits_without_test():
    """Each limit must be named in a test."""
    tests = set()
    for path in sorted((ROOT / "Tests").rglob("*")):
        if path.suffix in (".swift", ".py"):
            tests.update(re.findall(r"\w+", path.read_text()))
    for path in sorted((ROOT / "Sources").rglob("*Limits.swift")):
        if path.stem in NO_LIMITS:
            continue
        for name in LIMIT.findall(path.read_text()):
            if name not in tests:
                yield path, f"no test names {name}"


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
    yield from limits_without_test()
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
