"""Distribution keys of the tables: every CREATE TABLE of a migration says above itself how a distributed engine is to
keep its rows, and its keys must allow that.

    -- distributed by COLUMN      rows lie where COLUMN says: it leads the primary key and is in every unique index
    -- reference: REASON          a whole copy on every node
    -- local: REASON              on one node

Tables of the latter two kinds are in EXCEPTIONS, too, so that none becomes one by a comment alone.
"""

import re

# What is not distributed, and how much of it there is: its size and rate are those of one primary. A table that grows with
# use wants a key to be distributed by; one is added here only when no key can be had (docs/adr/0030).
EXCEPTIONS = {
    "admin_flags": ("reference", "some hundreds at most"),
    "admin_table_keys": ("reference", "some hundreds at most"),
    "admin_table_rows": ("reference", "those that people write"),
    "audit_chain": ("local", "one row"),
    "audit_heads": ("local", "one an hour"),
    "audit_records": ("local", "grows with what staff do and with what changes rights; one chain holds all records"),
    "identity_contacts": ("local", "two a user; a proved address is one user's"),
    "identity_grants": ("reference", "those of staff, shops and machines; each node has them in memory"),
    "identity_users": ("local", "one a user; a handle is one user's"),
    "notify_devices": ("local", "some a user; a device is one user's"),
    "notify_templates": ("reference", "those that people write"),
    "octet_blob_store": ("reference", "one row"),
    "octet_dead_timers": ("local", "for people, who settle them; 90 days"),
    "octet_installation": ("reference", "a handful"),
    "octet_migration_walks": ("local", "those under way"),
    "octet_migrations": ("local", "one for each step of the schema"),
    "octet_nodes": ("reference", "a thousand at most"),
    "octet_outbox": ("local", "those that were not delivered yet; a channel's order comes from one sequence"),
    "octet_request_generation": ("reference", "one row"),
    "octet_topic_incarnation": ("reference", "one row"),
    "queue_processes": ("reference", "one for each process of late"),
    "rides_cities": ("reference", "some hundreds"),
    "rides_drivers": ("local", "one a driver; a user is one driver in whichever city"),
    "rides_offers": ("local", "grows with the rides; an accepted offer is found by its own number"),
    "rides_rides": ("local", "grows with the rides; a rider's live ride and a driver's are one each in whichever city"),
    "rides_vehicles": ("local", "one or two a driver; a plate is one driver's"),
    "rides_zones": ("reference", "some a city"),
    "search_generations": ("local", "a handful"),
    "social_turns": ("local", "a thousand rows without content"),
    "social_word_lists": ("reference", "those that people write"),
}

TABLE = re.compile(r"\bCREATE TABLE (?:IF NOT EXISTS )?(\w+)\s*\(")
UNIQUE_INDEX = re.compile(r"\bCREATE UNIQUE INDEX (?:IF NOT EXISTS )?(\w+)\s+ON (\w+)\s*\(([^)]*)\)")
DECLARATION = re.compile(r"--\s*(?:distributed by (\w+)\s*$|(reference|local): \S)")
COMMENT = re.compile(r"--[^\n]*")
REFERENCE = re.compile(r"\bREFERENCES (\w+)\s*(?:\(([^)]*)\))?")


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


def declared(text):
    """Each table of a source file with where its body begins, and (kind, column): distributed, reference or local; None
    for one that says nothing."""
    for match in TABLE.finditer(text):
        declaration = declaration_above(text, text.rfind("\n", 0, match.start()) + 1)
        column, kind = declaration.groups() if declaration else (None, None)
        yield match.group(1), match.end(), declaration and (kind or "distributed", column)


def breaches(text, exceptions=EXCEPTIONS):
    """What is wrong with the migrations in a source file."""
    distributed = {}
    for table, start, declaration in declared(text):
        keys = list(unique_keys(body_of(text, start)))
        primary = [names for kind, names in keys if kind == "PRIMARY KEY"]
        if not primary:
            yield f"table {table} has no primary key"
        if declaration is None:
            yield f"table {table} does not say how it is distributed (scripts/distribution.py)"
            continue
        kind, column = declaration
        if kind != exceptions.get(table, ("distributed",))[0]:
            yield f"table {table} is called {kind}, and not so in EXCEPTIONS (scripts/distribution.py)"
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


def foreign_keys(body):
    """The foreign keys in the body of a CREATE TABLE, as (columns, table, its columns or none)."""
    body = COMMENT.sub("", body)
    for match in re.finditer(r"\bFOREIGN KEY\s*\(([^)]*)\)\s*" + REFERENCE.pattern, body):
        yield columns(match.group(1)), match.group(2), columns(match.group(3) or "")
    for match in re.finditer(r"(?:^|,)\s*(\w+) [A-Z][^,()]*?" + REFERENCE.pattern, body):
        yield [match.group(1)], match.group(2), columns(match.group(3) or "")


def foreign_key_breaches(texts):
    """Foreign keys that a distributed engine cannot hold, in all migrations together: a row and what it refers to must be
    on one node."""
    tables, keys = {}, []
    for text in texts:
        for table, start, declaration in declared(text):
            tables[table] = declaration
            keys += [(table, *key) for key in foreign_keys(body_of(text, start))]
        for table, added in re.findall(r"\bALTER TABLE (\w+) ADD COLUMN ([^;]*)", text):
            keys += [(table, *key) for key in foreign_keys(added)]
    for table, names, target, target_names in keys:
        (kind, column), (target_kind, target_column) = (
            tables.get(name) or ("unknown", None) for name in (table, target)
        )
        if target_kind == "reference" or kind == target_kind == "local":
            continue
        if kind == target_kind == "distributed" and (column, target_column) in zip(names, target_names):
            continue
        yield f"table {table} ({kind}) refers to {target} ({target_kind}), which is elsewhere"
