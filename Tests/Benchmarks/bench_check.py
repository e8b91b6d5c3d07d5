"""Counts the instructions and allocations of octet-interop per unary call and per streamed message, and of octetd per
unary call, under valgrind, and compares them with counts.json.

Each scenario runs twice, with N and with 2N calls or messages; the difference, divided by N, has nothing of the
start-up. Counted is what the event loop's thread does: other threads work by the clock, so a slow run would count more
of it. Allocations alone may have some of the start-up, if valgrind gave the loop's thread the number of one that had ended:
what is odd is counted again. What the kernel does is not counted. Usage: bench_check.py [--update] [--keep FOLDER] [SCENARIO ...]
"""

import argparse
import dataclasses
import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from typing import Callable

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
COUNTS = HERE / "counts.json"

sys.path.insert(0, str(ROOT / "Tests"))

from lockstep import Client, message, varint  # noqa: E402
from new_user import metadata_of_new_user  # noqa: E402

from support.server import BUILD, Server  # noqa: E402

# More than this above the known counts fails.
INSTRUCTIONS_TOLERANCE = 0.03
ALLOCATIONS_TOLERANCE = 0.25
ALLOCATORS = {"malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign"}
# What runs on an event loop's thread until it ends.
THE_LOOP = "*EventLoopC3run*LLyyF"

PAYLOAD = b"\x0a\x64" + b"x" * 100  # field 1: 100 bytes
CHUNK = b"\x08\x01\x12\x64" + b"x" * 100  # seq 1, payload of 100 bytes
BATCH = 32


def unary(address, count, metadata=()):
    client = Client(address, b"/bench.v1.Bench/Echo", metadata)
    for _ in range(count // BATCH):
        client.call(message(PAYLOAD), BATCH)


def unary_in_task(address, count):
    """The health service's handler is an async one."""
    client = Client(address, b"/grpc.health.v1.Health/Check")
    for _ in range(count // BATCH):
        client.call(message(b""), BATCH)


def download(address, count):
    request = b"\x08" + varint(count) + b"\x10\x64"
    Client(address, b"/bench.v1.Bench/Download").call(message(request), 1)


def upload(address, count):
    Client(address, b"/bench.v1.Bench/Upload").upload(message(CHUNK), count)


# A loop that looks for events instead of sleeping executes as many instructions as there is time. And no call of the
# load is refused, for its rate or for the delays that valgrind brings.
COMMON = ["--loops", "1", "--listen", "127.0.0.1:0", "--busy-poll"]
OCTET = ("octet-interop", ["--benchmark", *COMMON, "0"])
OCTETD = ("octetd", ["--services", "bench", "--rate-limits", "standard=1000000/1000000", "--queue-delay", "60s", *COMMON, "0s"])


@dataclasses.dataclass
class Scenario:
    server: tuple
    # Called with the server's address, how many calls or messages, and, if somebody signs in, the calls' metadata.
    drive: Callable
    # N.
    number: int
    signs_in: bool = False


SCENARIOS = {
    "unary call": Scenario(OCTET, unary, 64 * BATCH),
    "unary call of octetd": Scenario(OCTETD, unary, 512 * BATCH),
    "unary call of octetd, signed in": Scenario(OCTETD, unary, 512 * BATCH, signs_in=True),
    "unary call in a task": Scenario(OCTET, unary_in_task, 64 * BATCH),
    "message down": Scenario(OCTET, download, 8_000),
    "message up": Scenario(OCTET, upload, 8_000),
}


def stripped(program, folder):
    """A copy of the program that valgrind can read: Debian's does not know Swift's debug sections."""
    copy = folder / program
    shutil.copy(BUILD / program, copy)
    subprocess.run(["strip", "-g", str(copy)], check=True)
    return copy


def sign_in(data):
    """The metadata of a new user's calls. The octetd that it is made with is not the one that is counted: to hash a
    password under valgrind takes long."""
    with Server(data, "--services", "identity") as server:
        return metadata_of_new_user(server.address)


def measure(command, profile, drive, *arguments):
    """Runs the server under callgrind while `drive` talks to it; what its event loop did."""
    # Of an earlier run, which may have had other threads.
    for old in profile.parent.glob(f"{profile.name}-*"):
        old.unlink()
    valgrind = [
        "valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}", "--dump-instr=no", "--separate-threads=yes",
        f"--toggle-collect={THE_LOOP}",
    ]  # fmt: skip
    command = [*valgrind, *map(str, command)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        found = re.search(r"127\.0\.0\.1:\d+", server.stdout.readline())
        if not found:
            raise RuntimeError(f"the server did not start: {server.communicate(timeout=60)[1]}")
        drive(found.group(), *arguments)
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=120)
    instructions, allocations = max(map(read_profile, profile.parent.glob(f"{profile.name}-*")))
    if not instructions:
        raise RuntimeError(f"nothing was counted: no function of {command[len(valgrind)]} has the name {THE_LOOP}")
    return instructions, allocations


def read_profile(profile):
    """(instructions, calls of allocating functions) of the thread in a file of callgrind."""
    names = {}
    instructions = allocations = 0
    callee = ""
    for line in profile.read_text().splitlines():
        if line.startswith(("fn=", "cfn=")):
            number, _, name = line.split("=", 1)[1].partition(" ")
            if name:
                names[number] = name
            if line.startswith("cfn="):
                callee = names[number].split("'")[0].split("@")[0]
        elif line.startswith("calls="):
            if callee in ALLOCATORS:
                allocations += int(line[6:].split()[0])
        elif line.startswith(("summary:", "totals:")):
            instructions = int(line.split()[1])
    return instructions, allocations


def count(names, folder):
    found = {}
    programs = {program: stripped(program, folder) for program in {SCENARIOS[name].server[0] for name in names}}
    for name in names:
        scenario = SCENARIOS[name]
        program, flags = scenario.server
        runs = []
        for times in (1, 2):
            run = f"{name.replace(',', '').replace(' ', '-')}-{times}"
            data = folder / run
            command = [programs[program], *flags, *(["--data", data] if program == "octetd" else [])]
            metadata = [sign_in(data)] if scenario.signs_in else []
            profile = folder / f"{run}.callgrind"
            runs.append(measure(command, profile, scenario.drive, times * scenario.number, *metadata))
        instructions, allocations = ((second - first) / scenario.number for first, second in zip(*runs))
        found[name] = {"instructions": round(instructions), "allocations": round(allocations, 2)}
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help="write what was counted into counts.json")
    parser.add_argument("--keep", help="a folder for the profiles, to look at with callgrind_annotate")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    arguments = parser.parse_args()
    names = arguments.scenarios or list(SCENARIOS)
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(arguments.keep or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        found = count(names, folder)
    known = json.loads(COUNTS.read_text()) if COUNTS.exists() else {}
    if missing := [name for name in names if name not in known and not arguments.update]:
        sys.exit(f"{COUNTS.name} has no counts of {', '.join(missing)}; --update adds them")
    if arguments.update:
        COUNTS.write_text(json.dumps(known | found, indent=2) + "\n")
    exceeded = False
    print("| what | instructions | before | allocations | before |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, counts in found.items():
        before = known.get(name, counts)
        print(f"| {name} | {counts['instructions']:,} | {before['instructions']:,} "
              f"| {counts['allocations']} | {before['allocations']} |")  # fmt: skip
        exceeded |= counts["instructions"] > before["instructions"] * (1 + INSTRUCTIONS_TOLERANCE)
        exceeded |= counts["allocations"] > before["allocations"] + ALLOCATIONS_TOLERANCE
    if arguments.update:
        return
    if exceeded:
        sys.exit("More than the checked-in counts allow. If it is worth it, `bench_check.py --update` records them.")


if __name__ == "__main__":
    main()
