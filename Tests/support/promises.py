"""What is promised to be so within some time, asked of a machine that has other work to do."""

import time

# By how much one that is kept busy may be late.
SLACK_SECONDS = 120
PAUSE_SECONDS = 0.02
# Changes that are tried until one shows in time.
TRIES = 16


def within(seconds, is_so, complaint):
    """Waits until something is so. Returns after how many seconds it was."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() < began + seconds + SLACK_SECONDS, complaint
        time.sleep(PAUSE_SECONDS)
    return time.monotonic() - began


def kept_by_one(seconds, things, change, shows, complaint):
    """Changes one thing after the other, until a change shows in so many seconds.

    Each is made as soon as the one before has shown, so that whoever looks from time to time has just looked: all but the first,
    which does not count, wait for a whole turn. Some may be late where a machine is busy, and all are not.
    """
    delays = []
    for thing in things:
        change(thing)
        delays.append(within(seconds, lambda thing=thing: shows(thing), complaint))
        if len(delays) > 1 and delays[-1] <= seconds:
            return
    raise AssertionError(f"{complaint} within {seconds} s: {delays}")
