"""Devices that prove their key when they sign in."""

import subprocess

from . import stubs


def openssl(*arguments):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout


class DeviceKey:
    """An Ed25519 key in a file of a folder, used by the openssl program."""

    def __init__(self, folder):
        self.folder = folder
        self.path = folder / "device.pem"
        openssl("genpkey", "-algorithm", "ed25519", "-out", self.path)
        # What comes before the 32 bytes says which curve it is.
        self.public = openssl("pkey", "-in", self.path, "-pubout", "-outform", "DER")[-32:]

    def device(self, request_id):
        """The Device that a LoginRequest of this request_id names."""
        text = self.folder / "signed.txt"
        text.write_text(request_id)
        signature = openssl("pkeyutl", "-sign", "-inkey", self.path, "-rawin", "-in", text)
        sessions = stubs.module("octet.identity.v1.session_service_pb2")
        return sessions.Device(public_key=self.public, signature=signature)
