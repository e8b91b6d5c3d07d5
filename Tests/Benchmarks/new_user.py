"""Calls of somebody who is signed in, for measuring what credentials cost."""

import uuid

import grpc

from support.people import Person


def metadata_of_new_user(address):
    """The metadata that a user's calls carry, of one who registers for it."""
    with grpc.insecure_channel(address) as channel:
        return Person(channel, f"user_{uuid.uuid4().hex[:12]}").metadata
