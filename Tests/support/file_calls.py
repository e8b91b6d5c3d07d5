"""What a program asks of the file system, in its order, as strace sees it."""

import pathlib
import re
import time

CALLS = "openat,pwrite64,write,ftruncate,fsync,fdatasync,rename,renameat,renameat2"
LINE = re.compile(r"^(?P<time>[\d.]+) (?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)")
DESCRIPTOR = re.compile(r"^-?\w+<([^>]*)>")
PATHS = re.compile(r'"((?:[^"\\]|\\.)*)"')
ENDED = re.compile(r"\+\+\+ (?:exited|killed) .*\s*\Z")
END_SECONDS = 120


class FileCalls:
    """Gives the command to run a program under, and afterwards what it did: a list of (what, path, other path), with
    `write`, `sync` and `rename` for what."""

    def __init__(self, folder):
        self._prefix = pathlib.Path(folder) / "calls"
        # The tracer is a grandchild, so that the program is the one that is started, signalled and waited for.
        self.command = ["strace", "-D", "-ff", "-ttt", "-y", "-s", "0", "-e", f"trace={CALLS}", "-e", "signal=none"]
        self.command += ["-o", self._prefix]

    def read(self):
        """When the program has ended: all calls."""
        deadline = time.monotonic() + END_SECONDS
        # A file for each thread: so what one begins while another one waits is not cut. The tracer may be late.
        while (texts := self._texts()) and not all(ENDED.search(text) for text in texts):
            assert time.monotonic() < deadline, "the tracer has not ended"
            time.sleep(0.05)
        lines = [match for text in texts for match in map(LINE.match, text.splitlines()) if match]
        lines.sort(key=lambda line: float(line["time"]))
        return [call for line in lines if int(line["result"]) >= 0 for call in self._call(line)]

    def _texts(self):
        files = list(self._prefix.parent.glob(self._prefix.name + ".*"))
        assert files, "strace has written nothing"
        return [file.read_text(errors="replace") for file in files]

    @staticmethod
    def _call(line):
        if line["name"].startswith("rename"):
            yield "rename", *PATHS.findall(line["arguments"])
            return
        what = {"fsync": "sync", "fdatasync": "sync", "openat": None}.get(line["name"], "write")
        descriptor = DESCRIPTOR.match(line["arguments"])
        if what and descriptor:
            yield what, descriptor.group(1), None


def check_renames(calls, folder):
    """Each file that gets its name in a folder, or below, was on disk before, and its name is after."""
    places = []
    for index, (what, source, target) in enumerate(calls):
        if what != "rename" or not target.startswith(str(folder)):
            continue
        before = [each for each, path, _ in calls[:index] if path == source]
        assert before and before[-1] == "sync", f"{source} was renamed before it was on disk: {before[-3:]}"
        parent = str(pathlib.Path(target).parent)
        assert ("sync", parent, None) in calls[index:], f"the name {target} was not made durable"
        places.append(target)
    return places
