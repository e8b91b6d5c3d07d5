"""Codes of a real octetd, read from its spool, and people who prove contacts with them."""

import re

from . import stubs
from .notices import await_that, letters
from .people import Person, request_id

ACCOUNTS = "octet.identity.v1.AccountService"

accounts = stubs.module("octet.identity.v1.account_service_pb2")


def account_call(person, method, **fields):
    request = getattr(accounts, f"{method}Request")(request_id=request_id(), **fields)
    return person.call(f"{ACCOUNTS}/{method}", request)


def code_in(spool, address, pattern=r"\b\d{6}\b"):
    """Waits for a letter to an address with a code in it, and returns the newest one."""
    found = {}

    def there():
        for name, letter in letters(spool).items():
            code = re.search(pattern, letter["text"]) if letter and letter["address"] == address else None
            if code:
                found[name] = code.group()
        return found

    await_that(there, f"no code to {address}")
    return found[max(found)]


def proved_person(channel, spool, handle, email):
    person = Person(channel, handle)
    account_call(person, "SendCode", email=email)
    user = account_call(person, "ConfirmContact", email=email, code=code_in(spool, email))
    assert (user.state, user.level) == (accounts.USER_STATE_ACTIVE, accounts.USER_LEVEL_CONTACT)
    return person
