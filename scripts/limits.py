"""The list of all limits, docs/limits.md: each with its default and its reason, as its module's file says them. Without an
argument it is written anew; `scripts/lint` complains of one that is not what this would write."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIST = "docs/limits.md"

# Files that are named like a list of limits and are none.
NO_LIMITS = {"SharedLimits", "InteropClient+Limits"}
# A limit: a stored property with a value or, in a struct that has an initializer for them, a public type.
LIMIT = re.compile(
    r"^  (?:public |package )?(?:static let|var|let) (?P<name>\w+)(?:: (?P<type>[\w.\[\]?]+))?(?: = (?P<value>.+)|$)", re.M)
LIMITED_TYPE = re.compile(r"^(?:public |package )?(?:struct|enum|extension) (\w+)", re.M)

HEADING = """# Every limit, its default and the reason

Made by `python3 scripts/limits.py` from the modules' files of limits; [how to set them and where they bite](guides/limits.md).
The defaults are those of the modules, in the source's words: `4 << 20` are 4 MiB. octetd sets some of them otherwise, such
as `--default-deadline` and `--queue-delay`; `octetd --help` says what it takes for each.
"""


class Limit:
    """A limit as its file declares it."""

    def __init__(self, path, owner, found, text):
        self.path, self.owner, self.name = path, owner, found["name"]
        self.default = found["value"] or default_argument(text, self.name) or "nil"
        self.reason = comment_above(text[: found.start()]) or "See the one above."


def default_argument(text, name):
    """What an initializer takes if it is not told."""
    found = re.search(rf"\b{name}: [\w.\[\]?]+ = ((?:[^,()]|\([^()]*\))+)", text)
    return found[1].strip() if found else None


def comment_above(text):
    """The words of the documentation comment that a text ends with."""
    lines = []
    for line in reversed(text.splitlines()):
        if not line.startswith("  ///"):
            break
        lines.append(line.removeprefix("  ///").strip())
    return " ".join(reversed(lines))


def limits(root):
    """Every limit of a tree, file by file."""
    for path in sorted((root / "Sources").rglob("*Limits.swift")):
        if path.stem in NO_LIMITS:
            continue
        text = path.read_text()
        types = [(found.start(), found.group(1)) for found in LIMITED_TYPE.finditer(text)]
        for found in LIMIT.finditer(text):
            owner = [name for start, name in types if start < found.start()][-1]
            yield Limit(path, owner, found, text)


def listing(root):
    """What the list of a tree has to say."""
    parts, owner = [HEADING], None
    for limit in limits(root):
        if limit.owner != owner:
            owner = limit.owner
            parts.append(f"\n## {owner}\n\n[{limit.path.name}](../{limit.path.relative_to(root)})\n\n")
            parts.append("| limit | default | reason |\n| --- | --- | --- |\n")
        default, reason = (text.replace("|", "\\|") for text in (limit.default or "", limit.reason))
        parts.append(f"| `{limit.name}` | `{default}` | {reason} |\n")
    return "".join(parts)


if __name__ == "__main__":
    (ROOT / LIST).write_text(listing(ROOT))
