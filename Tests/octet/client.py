"""Runs the command-line client."""

import dataclasses
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
import threading

from support.server import BUILD

PATIENCE_SECONDS = 300


@dataclasses.dataclass
class Result:
    code: int
    out: str
    error: str

    def json(self):
        return json.loads(self.out)

    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]


class Octet:
    """`octet` with a configuration of its own, aimed at one server."""

    def __init__(self, folder, address=None, *flags):
        self.folder = folder
        self.flags = flags
        self.environment = {
            key: value for key, value in os.environ.items() if not key.startswith(("OCTET_", "XDG_"))
        } | {"OCTET_PROFILES": str(folder / "config")}
        if address is not None:
            self.environment["OCTET_ADDRESS"] = address

    def __call__(self, *arguments, stdin=""):
        process = subprocess.run(
            [BUILD.resolve() / "octet", *arguments, *self.flags],
            input=stdin,
            capture_output=True,
            text=True,
            env=self.environment,
            cwd=self.folder,
            timeout=PATIENCE_SECONDS,
        )
        return Result(process.returncode, process.stdout, process.stderr)


class Watching:
    """The client in the background, on pipes or on a terminal that also has its keyboard."""

    def __init__(self, octet, *arguments, terminal=False, columns=80, **ends):
        command = [BUILD.resolve() / "octet", *arguments, *octet.flags]
        self.terminal = terminal
        if terminal:
            self.output, theirs = pty.openpty()
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            ends = {"stdin": theirs, "stdout": theirs, "stderr": theirs} | ends
        else:
            self.output, theirs = os.pipe()
            ends = {"stdin": subprocess.PIPE, "stdout": theirs, "stderr": theirs} | ends
        self.process = subprocess.Popen(
            command, env=octet.environment | {"TERM": "xterm"}, cwd=octet.folder, start_new_session=True, **ends
        )
        os.close(theirs)
        self.text = ""
        self.watchdog = threading.Timer(PATIENCE_SECONDS, self.process.kill)
        self.watchdog.daemon = True
        self.watchdog.start()

    def until(self, pattern):
        while not re.search(pattern, self.text):
            try:
                piece = os.read(self.output, 65536)
            except OSError:  # EIO: the other end is closed
                piece = b""
            assert piece, f"ended without {pattern}: {self.text!r}"
            self.text += piece.decode(errors="replace").replace("\r\n", "\n")

    def press(self, keys):
        if self.terminal:
            os.write(self.output, keys.encode())
        else:
            self.process.stdin.write(keys.encode())
            self.process.stdin.flush()

    def end(self):
        """Waits until the program has ended by itself, and returns its exit code."""
        try:
            while piece := os.read(self.output, 65536):
                self.text += piece.decode(errors="replace").replace("\r\n", "\n")
        except OSError:  # EIO: the other end is closed
            pass
        return self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.watchdog.cancel()
        os.close(self.output)
