"""A file system of a few pages, to be filled."""

import errno
import os
import pathlib
import subprocess


class SmallDisk:
    """A file system in memory with this many bytes, until the end of the block.

    It is mounted in a namespace of its own, which needs no root where users may make namespaces. A program that is run
    under `command` sees it at `inside`; from outside it is at `path`, where SQLite does not find its files again.
    """

    inside = pathlib.Path("/mnt")

    def __init__(self, size):
        mount = f"mount -t tmpfs -o size={size} none {self.inside} && echo mounted && exec cat"
        self._holder = subprocess.Popen(
            ["unshare", "-rm", "sh", "-c", mount],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        if self._holder.stdout.readline() != "mounted\n":
            self.__exit__()
            raise OSError("no file system can be mounted here")
        self.path = pathlib.Path(f"/proc/{self._holder.pid}/root{self.inside}")
        self.command = ["nsenter", "-U", "-m", "--preserve-credentials", "-t", str(self._holder.pid)]
        self._filling = self.path / "filling"

    @classmethod
    def can_be(cls):
        try:
            with cls("1m"):
                return True
        except OSError:
            return False

    def fill(self, leaving=0):
        """Takes all room but these bytes."""
        self.make_room()
        with open(self._filling, "wb") as file:
            while True:
                room = os.statvfs(self.path)
                try:
                    os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize - leaving)
                    return
                except OSError as error:
                    # Somebody has written meanwhile, and there is less.
                    if error.errno != errno.ENOSPC:
                        raise

    def make_room(self):
        self._filling.unlink(missing_ok=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._holder.stdin.close()
        self._holder.wait()
        self._holder.stdout.close()
