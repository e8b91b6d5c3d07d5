"""A real octetd in a process of its own, on ports that the kernel chooses."""

import os
import pathlib
import shutil
import signal
import subprocess
import threading

import grpc

from .paths import ROOT

BUILD = pathlib.Path(os.environ.get("OCTET_BUILD", ROOT / ".build" / "release"))
# For one that hangs: it may have to share its processor with many.
START_SECONDS = 120


def make_certificate(folder):
    subprocess.run([ROOT / "scripts" / "dev-certificate", folder], check=True)
    return folder


class Server:
    """Starts octetd and waits until it says `ready`. A context manager: ends with SIGTERM and expects exit code 0.

    `under` is a program and its arguments that become octetd in the end, such as a tracer's.
    """

    def __init__(self, data, *flags, tls=None, program="octetd", listen="127.0.0.1:0", env=None, under=()):
        self.data = pathlib.Path(data)
        self.flags = flags
        self.tls = tls
        command = [*under, BUILD / program, "--listen", listen]
        if program in ("octetd", "octetd-board"):
            command += ["--data", self.data]
            # It has its processors to share with other tests. For want of them it would refuse a call now and then.
            if "--queue-delay" not in flags:
                command += ["--queue-delay", "0s"]
        if tls is not None:
            command += ["--tls-listen", "127.0.0.1:0"]
            command += ["--tls-certificate", tls / "cert.pem", "--tls-key", tls / "key.pem"]
        self.log = []
        self.process = subprocess.Popen(
            [str(part) for part in [*command, *flags]],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env and os.environ | env,
        )
        self._log_reader = threading.Thread(target=self._read_log, daemon=True)
        self._log_reader.start()
        self.ready = self._wait_until_ready()
        self.address = self.ready.get("listen")
        self.tls_address = self.ready.get("tls")

    def _read_log(self):
        for line in self.process.stderr:
            self.log.append(line.rstrip("\n"))

    def _wait_until_ready(self):
        timer = threading.Timer(START_SECONDS, self.process.kill)
        timer.start()
        try:
            line = self.process.stdout.readline()
        finally:
            timer.cancel()
        if not line.startswith("ready"):
            self.process.wait()
            # What it said last may not have been read yet.
            self._log_reader.join(START_SECONDS)
            raise RuntimeError(f"octetd did not start ({self.process.returncode}):\n" + "\n".join(self.log))
        return dict(part.split("=", 1) for part in line.split()[1:])

    def channel(self):
        return grpc.insecure_channel(self.address)

    def secure_channel(self):
        credentials = grpc.ssl_channel_credentials((self.tls / "ca.pem").read_bytes())
        return grpc.secure_channel(self.tls_address, credentials)

    def kill(self):
        """kill -9: the process gets no chance to do anything."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, timeout=START_SECONDS):
        self.process.send_signal(signal.SIGTERM)
        return self.wait(timeout)

    def wait(self, timeout):
        """Waits until it has ended. Returns its exit code; what it said is in the log."""
        code = self.process.wait(timeout)
        self._log_reader.join(timeout)
        return code

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if self.process.poll() is None:
            try:
                code = self.stop()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
            if kind is None:
                assert code == 0, "\n".join(self.log[-20:])
        if kind is not None:
            print("\n".join(self.log[-50:]))


def second_node(first, folder, *flags, **options):
    """Another node of the same installation: with the same root key and blobs. The flags have to say which database."""
    folder.mkdir(mode=0o700, exist_ok=True)
    shutil.copy2(first.data / "root.key", folder / "root.key")
    return Server(folder, *flags, "--blobs", first.data / "blobs", **options)
