"""Machines that sign in with a key of their own."""

from . import stubs
from .keys import SigningKey
from .people import Stranger, request_id

sessions = stubs.module("octet.identity.v1.session_service_pb2")
credentials = stubs.module("octet.identity.v1.credential_service_pb2")

CREDENTIALS = "octet.identity.v1.CredentialService"


class Machine(Stranger):
    """A caller with a credential. `folder` is for its key."""

    def __init__(self, channel, folder):
        super().__init__(channel)
        self.key = SigningKey(folder)

    def login(self, credential):
        request = request_id()
        signature = self.key.sign(f"octet login\n{credential}\n{request}")
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
        public_key=machine.key.public,
        roles=[credentials.CredentialRole(role=role) for role in roles],
    )
    return owner.call(f"{CREDENTIALS}/CreateCredential", request)
