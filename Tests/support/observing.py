"""What an operator reads of a running server: its metrics and its log."""

import collections
import json
import subprocess

from prometheus_client.parser import text_string_to_metric_families as text_families

# A call that belongs to a trace, which is kept.
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT_ID = "b7ad6b7169203331"

Answer = collections.namedtuple("Answer", "status headers body")


def get(address, path, *flags):
    """One request by curl, over HTTP/1.1 unless the flags say otherwise."""
    result = subprocess.run(
        ["curl", "-sS", "-i", "--max-time", "120", *flags, f"http://{address}{path}"],
        capture_output=True,
        text=True,
        check=True,
    )
    head, _, body = result.stdout.replace("\r\n", "\n").partition("\n\n")
    first, *fields = head.split("\n")
    headers = dict(field.lower().split(": ", 1) for field in fields)
    return Answer(int(first.split()[1]), headers, body)


def samples(families):
    """Every sample by its name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(found, name, **labels):
    return found[(name, frozenset(labels.items()))]


def log_lines(server, event):
    return [entry for entry in map(json.loads, server.log) if entry["event"] == event]


def metrics(server):
    """The samples of a server that has an admin port, as they are now."""
    return samples(text_families(get(server.ready["admin"], "/metrics").body))
