#!/usr/bin/env python3
"""Writes times.tsv: what Python's zoneinfo makes of times of civil days, for TimeZoneTests to compare with.

Lines are zone, date, minute of the day, and in seconds since 1970: the first and the last instant that the time may mean, and
for one that the clocks skip the instant of the change. Around the changes of years that no later edition of the tz database is
likely to touch, and at random.

    .venv/bin/python Tests/CivilTimes/make_times.py
"""

import datetime
import pathlib
import random
import zoneinfo

HERE = pathlib.Path(__file__).resolve().parent
SEED = 20260101
YEARS = range(1985, 2025)
# Among them changes by half an hour and by two hours, at midnight, across a whole day, back in summer; and zones without any.
ZONES = [
    "Africa/Casablanca", "America/New_York", "America/Sao_Paulo", "America/St_Johns", "Antarctica/Troll", "Asia/Kathmandu",
    "Asia/Kolkata", "Asia/Tehran", "Australia/Lord_Howe", "Europe/Dublin", "Europe/Helsinki", "Pacific/Apia", "UTC",
]  # fmt: skip
CHANGES_PER_ZONE = 8
MINUTES_ABOUT = [-1500, -180, -90, -61, -60, -31, -30, -1, 0, 1, 29, 30, 59, 60, 61, 119, 120, 180, 1440]
OTHERS_PER_ZONE = 12


def offset(zone, second):
    return datetime.datetime.fromtimestamp(second, zone).utcoffset()


def change_between(zone, low, high):
    """The first second of another offset than that of `low`, by halving."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if offset(zone, middle) == offset(zone, low) else (low, middle)
    return high


def changes(zone):
    begin, end = (int(datetime.datetime(year, 1, 1, tzinfo=datetime.UTC).timestamp()) for year in (YEARS[0], YEARS[-1]))
    days = range(begin, end, 86_400)
    return [change_between(zone, day, day + 86_400) for day in days if offset(zone, day) != offset(zone, day + 86_400)]


def line(name, zone, local):
    instants = [local.replace(tzinfo=zone, fold=fold) for fold in (0, 1)]
    first, last = (int(instant.timestamp()) for instant in instants)
    change = ""
    if datetime.datetime.fromtimestamp(first, zone).replace(tzinfo=None) != local:
        # Skipped: the two readings lie on both sides of the change.
        change = change_between(zone, last, first)
        last = first
    minute = local.hour * 60 + local.minute
    return "\t".join(str(part) for part in (name, local.date(), minute, first, last, change))


def main():
    rng = random.Random(SEED)
    lines = []
    for name in ZONES:
        zone = zoneinfo.ZoneInfo(name)
        known = changes(zone)
        for change in rng.sample(known, min(CHANGES_PER_ZONE, len(known))):
            shown = datetime.datetime.fromtimestamp(change - 1, zone).replace(tzinfo=None) + datetime.timedelta(seconds=1)
            lines += [line(name, zone, shown + datetime.timedelta(minutes=about)) for about in MINUTES_ABOUT]
        for _ in range(OTHERS_PER_ZONE):
            minutes = rng.randrange((YEARS[-1] - YEARS[0]) * 365 * 1440)
            lines.append(line(name, zone, datetime.datetime(YEARS[0], 1, 1) + datetime.timedelta(minutes=minutes)))
    (HERE / "times.tsv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
