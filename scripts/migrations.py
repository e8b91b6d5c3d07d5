"""Steps of the schema that a program of the version before can live with: it goes on serving beside the new one, with
statements that know nothing of the step. What takes something from it, or asks something new of it, is refused, unless the
comment right above the statement says why no such program runs any more, or why it does not mind:

    -- contract: REASON
"""

import re

LITERAL = re.compile(r'"""(.*?)"""|"((?:\\.|[^"\\\n])*)"', re.S)
COMMENT = re.compile(r"--[^\n]*")
CONTRACT = re.compile(r"--\s*contract: \S")
SCHEMA = re.compile(r"\s*(?:CREATE|ALTER|DROP)\s")
CREATED = re.compile(r"\bCREATE TABLE (?:IF NOT EXISTS )?(\w+)")

# What a statement must not do, and why.
REFUSED = [
    (re.compile(r"\bDROP (?:TABLE|COLUMN|VIEW|CONSTRAINT)\b"), "takes away what the program before uses"),
    (re.compile(r"\bDROP INDEX\b"), "takes an index from the statements of the program before"),
    (re.compile(r"\bRENAME\b"), "renames what the program before uses"),
    (re.compile(r"\bALTER COLUMN\b"), "changes a column that the program before uses"),
    (re.compile(r"\bADD (?:CONSTRAINT|CHECK|UNIQUE|FOREIGN|PRIMARY)\b"), "asks of rows what the program before may not"),
]
ADDED_COLUMN = re.compile(r"\bALTER TABLE \w+ ADD (?:COLUMN )?(\w+)\s(.*)", re.S)
UNIQUE_INDEX = re.compile(r"\bCREATE UNIQUE INDEX (?:IF NOT EXISTS )?(\w+)\s+ON (\w+)")


def statements(script):
    """The statements of a script, each with the comments above and inside it."""
    start = 0
    # A semicolon in a comment or a literal ends nothing.
    for match in re.finditer(r"--[^\n]*|'[^']*'|;", script):
        if match.group() == ";":
            yield script[start : match.start()]
            start = match.end()
    if script[start:].strip():
        yield script[start:]


def objections(statement, created):
    """Why the program before cannot live with a statement; `created` are tables that it does not know either."""
    for pattern, why in REFUSED:
        if pattern.search(statement):
            yield why
    column = ADDED_COLUMN.search(statement)
    if column and re.search(r"\bNOT NULL\b", column.group(2)) and not re.search(r"\bDEFAULT\b", column.group(2)):
        yield f"adds {column.group(1)} NOT NULL without a default, which the program before does not fill in"
    if column and re.search(r"\b(?:UNIQUE|CHECK)\b", column.group(2)):
        yield f"asks of {column.group(1)} what the program before may not"
    index = UNIQUE_INDEX.search(statement)
    if index and index.group(2) not in created:
        yield f"makes {index.group(2)} unique by {index.group(1)}, which the program before may violate"


def breaches(text):
    """What is wrong with the steps in a source file."""
    for match in LITERAL.finditer(text):
        script = match.group(1) or match.group(2) or ""
        created = set()
        for statement in statements(script):
            code = COMMENT.sub("", statement)
            if not SCHEMA.match(code):
                continue
            created.update(CREATED.findall(code))
            head = statement[: len(statement) - len(re.sub(r"\A(?:\s*--[^\n]*\n)*", "", statement))]
            if CONTRACT.search(head):
                continue
            why = next(objections(code, created), None)
            if why:
                yield f"{' '.join(code.split())[:60]}: {why} (docs/guides/migrations.md)"
