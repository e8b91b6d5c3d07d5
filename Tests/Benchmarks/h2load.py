"""Unary gRPC calls by h2load, as many as go."""

import re
import subprocess
import sys


def calls(url, body, seconds, connections, streams, *pinned, metadata=()):
    """How often the call with `body` (a file) was answered, and with how many octets in all. What fails ends the program.

    `pinned` is a command in front, such as taskset's, and `metadata` of each call, such as "name: value".
    """
    output = subprocess.check_output(
        [*pinned, "h2load", f"-D{seconds}", f"-c{connections}", f"-m{streams}", "-d", body,
         "-H", "content-type: application/grpc", "-H", "te: trailers", *(word for line in metadata for word in ("-H", line)), url],
        text=True, stderr=subprocess.STDOUT,
    )  # fmt: skip
    done, failed, errors = (int(re.search(rf"(\d+) {word}", output).group(1)) for word in ("succeeded", "failed", "err"))
    octets = int(re.search(r"\((\d+)\) data", output).group(1))
    # A call that fails has no body.
    if not done or failed or errors or octets < 5 * done:
        sys.exit(f"h2load failed:\n{output}")
    return done, octets
