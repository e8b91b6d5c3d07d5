"""The order in which a queue calls its lobby, drawn from the published secret as any client can."""

import hashlib
import hmac

DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"


def printed(number):
    """The id of an entry, of which the database has the number."""
    return "qe_" + "".join(DIGITS[number >> shift & 31] for shift in range(60, -1, -5))


def drawn(number, secret):
    """Whoever's is the least is called first."""
    return hmac.new(secret, printed(number).encode(), hashlib.sha256).digest()
