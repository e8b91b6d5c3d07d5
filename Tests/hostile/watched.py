"""A server that is attacked, as those see it who do it no harm, and what it holds."""

import os
import pathlib
import select
import time

import grpc
from attacks import UNARY

# For a good call that waits for its turn on a machine that stands still for a while.
CALL_SECONDS = 120
PAUSE_SECONDS = 0.02
# How soon what the attackers held must be free again, counted in the turns that the server has had: in good calls, each
# after a pause, and in looks at its use of the processor.
RECOVERY_CALLS = 500
RECOVERY_LOOKS = 50
# What malloc keeps afterwards, beyond what the server had before the first attack.
LEFT_BYTES = 64 << 20
# How long the server is watched for its use of the processor, and what it may use of that time when nobody asks anything
# of it.
WATCH_SECONDS = 0.2
IDLE_SHARE = 0.1
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# Swift's pool has up to one for each processor, and lets them go when there is nothing to do.
POOL_THREADS = os.cpu_count()
ANSWER_BYTES = 1024
# SimpleRequest.response_size = 1024
REQUEST = b"\x10\x80\x08"
# So that a channel's first call makes a connection.
OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]


class Watched:
    """A server with good clients, and what it holds."""

    def __init__(self, server, channel, authority=None):
        self.server = server
        self.authority = authority
        self.proc = pathlib.Path("/proc") / str(server.process.pid)
        self.method = channel.unary_unary(UNARY)
        self.slowest = 0
        self.is_lost = False
        self.call()
        # Before new connections, which may take a while to be gone.
        _, _, self.files = self.held()
        self.call_anew()
        self.rss, self.threads, _ = self.held()

    def held(self):
        status = dict(line.split(":", 1) for line in (self.proc / "status").read_text().splitlines())
        files = len(list((self.proc / "fd").iterdir()))
        return int(status["VmRSS"].split()[0]) << 10, int(status["Threads"]), files

    def call(self):
        start = time.monotonic()
        self._expect_answer(self.method)
        self.slowest = max(self.slowest, time.monotonic() - start)

    def call_anew(self):
        """The same over new connections, one in the clear and one under TLS."""
        makers = [lambda: grpc.insecure_channel(self.server.address, OWN_CONNECTION)]
        if self.authority is not None:
            credentials = grpc.ssl_channel_credentials(self.authority.read_bytes())
            makers.append(lambda: grpc.secure_channel(self.server.tls_address, credentials, OWN_CONNECTION))
        for make in makers:
            start = time.monotonic()
            with make() as channel:
                self._expect_answer(channel.unary_unary(UNARY))
                self.slowest = max(self.slowest, time.monotonic() - start)

    def _expect_answer(self, method):
        try:
            answer = method(REQUEST, timeout=CALL_SECONDS)
        except grpc.RpcError:
            self.is_lost = True
            raise
        assert len(answer) > ANSWER_BYTES

    def _processor_seconds(self):
        """What the process has used so far, in itself and in the kernel."""
        fields = (self.proc / "stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND

    def used_share(self, seconds):
        """What the server uses of a processor for a while in which this client asks nothing of it."""
        start, used = time.monotonic(), self._processor_seconds()
        select.select([], [], [], seconds)
        return (self._processor_seconds() - used) / (time.monotonic() - start)

    def check_idle(self):
        """Soon the server has nothing left to do."""
        for _ in range(RECOVERY_LOOKS):
            if (share := self.used_share(WATCH_SECONDS)) <= IDLE_SHARE:
                return
        raise AssertionError(f"nobody asks anything, and the server uses {share:.0%}")

    def check_recovery(self, kept=LEFT_BYTES):
        """The connections of the attackers are gone, and with them all that they held."""
        for _ in range(RECOVERY_CALLS):
            self.call()
            rss, threads, files = self.held()
            if rss <= self.rss + kept and files <= self.files and threads <= self.threads + POOL_THREADS:
                break
            # A thing to wait for that costs nothing: the server's next answer after a while.
            select.select([], [], [], PAUSE_SECONDS)
        assert files <= self.files
        assert threads <= self.threads + POOL_THREADS
        assert rss <= self.rss + kept
        self.check_idle()
