"""Distribution keys of the tables: every CREATE TABLE of a migration says above itself how a distributed engine is to
keep its rows, and its keys must allow that.

    -- distributed by COLUMN      rows lie where COLUMN says: it leads the primary key and is in every unique index
    -- reference: REASON          a whole copy on every node
    -- local: REASON              on one node
"""

import re

TABLE = re.compile(r"\bCREATE TABLE (?:IF NOT EXISTS )?(\w+)\s*\(")
UNIQUE_INDEX = re.compile(r"\bCREATE UNIQUE INDEX (\w+)\s+ON (\w+)\s*\(([^)]*)\)")
DECLARATION = re.compile(r"--\s*(?:distributed by (\w+)\s*$|(reference|local): \S)")
COMMENT = re.compile(r"--[^\n]*")


def body_of(text, start):
    """The text between the parenthesis before `start` and the one that closes it."""
    depth = 1
    for position in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if depth == 0:
            return text[start:position]
    return text[start:]


def columns(text):
    return [part.split()[0] for part in text.split(",") if part.split()]


def unique_keys(body):
    """The columns of the primary key and of each unique constraint, as (name, columns)."""
    body = COMMENT.sub("", body)
    for match in re.finditer(r"\b(PRIMARY KEY|UNIQUE)\s*\(([^)]*)\)", body):
        yield match.group(1), columns(match.group(2))
    for match in re.finditer(r"(?:^|,)\s*(\w+) (?:[A-Z]+ )+?(PRIMARY KEY|UNIQUE)\b(?!\s*\()", body):
        yield match.group(2), [match.group(1)]
    for match in re.finditer(r"(?:^|,)\s*(\w+) [^,(]*\bPRIMARY KEY\b[^,(]*\bUNIQUE\b", body):
        yield "UNIQUE", [match.group(1)]


def declaration_above(text, position):
    """The declaration in the comment right above a statement."""
    found = None
    for line in reversed(text[:position].split("\n")[:-1]):
        if not line.strip().startswith("--"):
            break
        found = found or DECLARATION.search(line)
    return found


def breaches(text):
    """What is wrong with the migrations in a source file."""
    distributed = {}
    for match in TABLE.finditer(text):
        table = match.group(1)
        declaration = declaration_above(text, text.rfind("\n", 0, match.start()) + 1)
        keys = list(unique_keys(body_of(text, match.end())))
        primary = [names for kind, names in keys if kind == "PRIMARY KEY"]
        if not primary:
            yield f"table {table} has no primary key"
        if declaration is None:
            yield f"table {table} does not say how it is distributed (scripts/distribution.py)"
            continue
        column = declaration.group(1)
        if column is None:
            continue
        distributed[table] = column
        if primary and primary[0][0] != column:
            yield f"table {table} is distributed by {column}, but its primary key is led by {primary[0][0]}"
        for kind, names in keys:
            if column not in names:
                yield f"table {table} is distributed by {column}, which is not in {kind} ({', '.join(names)})"
    for index, table, names in UNIQUE_INDEX.findall(text):
        column = distributed.get(table)
        if column and column not in columns(names):
            yield f"table {table} is distributed by {column}, which is not in the unique index {index}"
