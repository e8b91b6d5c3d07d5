"""Answers the challenges of a real octetd, as a foreign client does."""

import hashlib
import itertools


def solve(challenge):
    """A text whose hash begins with enough bits 0."""
    assert challenge.algorithm == "sha256" and 18 <= challenge.zero_bits <= 24
    beginning = hashlib.sha256(f"{challenge.token}:".encode())
    for number in itertools.count():
        attempt = beginning.copy()
        attempt.update(str(number).encode())
        if int.from_bytes(attempt.digest(), "big") >> (256 - challenge.zero_bits) == 0:
            return f"{challenge.token}:{number}"
