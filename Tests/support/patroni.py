"""PostgreSQL under Patroni, for tests that kill its primary."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time
import urllib.error
import urllib.request

from .guarded import Guarded

WAIT_SECONDS = 300


class PatroniCluster(Guarded):
    """A context manager: etcd and some nodes, each with a PostgreSQL server and the Patroni that runs it."""

    def __init__(self, nodes=3):
        super().__init__("patroni-cluster", nodes)
        self.folder = pathlib.Path(self.words[0])
        self.ports = [tuple(int(port) for port in word.split(":")) for word in self.words[1:]]
        self.nodes = range(nodes)

    def url(self, database="octet", user="octet"):
        """By way of whichever server is the primary."""
        hosts = ",".join(f"127.0.0.1:{port}" for port, _ in self.ports)
        parameters = f"target_session_attrs=read-write&passfile={self.folder}/pgpass"
        return f"postgres://{user}@{hosts}/{database}?{parameters}"

    def run(self, sql, database="octet"):
        """Runs statements as the superuser on the primary; returns what they print, without decoration."""
        command = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self.url(database, user="postgres"), "-c", sql]
        return subprocess.check_output(command, text=True, timeout=WAIT_SECONDS)

    def make_database(self):
        """What the guide has an operator do on a new cluster; returns the database's URL."""
        self.run("CREATE ROLE octet LOGIN PASSWORD 'only-for-tests'", database="postgres")
        self.run("CREATE DATABASE octet OWNER octet", database="postgres")
        return self.url()

    def ask(self, node, path):
        """Patroni's answer, or None if there is none or it says no."""
        try:
            url = f"http://127.0.0.1:{self.ports[node][1]}/{path}"
            with urllib.request.urlopen(url, timeout=5) as reply:
                return json.load(reply)
        except (OSError, urllib.error.HTTPError):
            return None

    def await_node(self, path, among=None):
        """The first node of which Patroni's `GET /path` says yes: primary, replica, synchronous, asynchronous."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            for node in self.nodes if among is None else among:
                if self.ask(node, path):
                    return node
            time.sleep(0.1)
        raise TimeoutError(f"no node is {path}")

    def primary(self):
        return self.await_node("primary")

    def copies(self, node):
        """How often the node has copied the whole of another's data."""
        return (self.folder / f"node{node}/log").read_text(errors="replace").count("replica has been created using")

    def signal(self, node, number, server=True, patroni=True):
        """Sends a signal to the node's Patroni, to its server with all sessions, or to both."""
        folder = self.folder / f"node{node}"
        processes = []
        if patroni:
            processes.append(int((folder / "patroni.pid").read_text()))
        if server:
            postmaster = int((folder / "data/postmaster.pid").read_text().split()[0])
            children = pathlib.Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text()
            processes += [postmaster, *map(int, children.split())]
        for process in processes:
            try:
                os.kill(process, number)
            except ProcessLookupError:
                pass  # A session that has ended by itself.

    def kill(self, node, server=True, patroni=True):
        """kill -9, as if the machine had lost its power; Patroni stays down until `start`."""
        if patroni:
            (self.folder / f"node{node}/stay-down").touch()
        self.signal(node, signal.SIGKILL, server, patroni)

    def start(self, node):
        (self.folder / f"node{node}/stay-down").unlink(missing_ok=True)

    def freeze(self, node):
        """The node does nothing any more, until `thaw`; its machine still accepts connections."""
        self.signal(node, signal.SIGSTOP)

    def thaw(self, node):
        self.signal(node, signal.SIGCONT)

    @contextlib.contextmanager
    def without_etcd(self):
        """etcd answers nobody within the block."""
        etcd = int((self.folder / "etcd.pid").read_text())
        os.kill(etcd, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(etcd, signal.SIGCONT)
