"""Machines that sign in with a key of their own; keys and signatures are openssl's."""

import pathlib
import subprocess

from . import stubs
from .people import Stranger, request_id

sessions = stubs.module("octet.identity.v1.session_service_pb2")
credentials = stubs.module("octet.identity.v1.credential_service_pb2")

CREDENTIALS = "octet.identity.v1.CredentialService"


class Machine(Stranger):
    """A caller with a credential. `folder` is for its key."""

    def __init__(self, channel, folder):
        super().__init__(channel)
        self.folder = pathlib.Path(folder)
        openssl = ["openssl", "genpkey", "-algorithm", "ed25519", "-out", self.folder / "key.pem"]
        subprocess.run(openssl, check=True, capture_output=True)
        public = ["openssl", "pkey", "-in", self.folder / "key.pem", "-pubout", "-outform", "DER"]
        # The last 32 bytes of the DER form are the key (RFC 8410).
        self.public_key = subprocess.run(public, check=True, capture_output=True).stdout[-32:]

    def sign(self, text):
        (self.folder / "text").write_text(text)
        sign = ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", "key.pem", "-in", "text", "-out", "signature"]
        subprocess.run(sign, check=True, capture_output=True, cwd=self.folder)
        return (self.folder / "signature").read_bytes()

    def login(self, credential):
        request = request_id()
        signature = self.sign(f"octet login\n{credential}\n{request}")
        machine = sessions.Machine(credential_id=credential, signature=signature)
        reply = self.call("octet.identity.v1.SessionService/Login",
                          sessions.LoginRequest(request_id=request, machine=machine))  # fmt: skip
        self.token = reply.tokens.access_token


def make_credential(owner, machine, *roles, name="a machine"):
    """A credential with roles on the whole platform, which `owner` answers for."""
    request = credentials.CreateCredentialRequest(
        request_id=request_id(),
        name=name,
        kind=credentials.CREDENTIAL_KIND_WORKER,
        public_key=machine.public_key,
        roles=[credentials.CredentialRole(role=role) for role in roles],
    )
    return owner.call(f"{CREDENTIALS}/CreateCredential", request)
