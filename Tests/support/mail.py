"""A real SMTP server."""

import email.policy
import ssl

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from . import ports
from .server import START_SECONDS

LOGIN = ("octet", "hush hush")


class Mailbox:
    """A mail server's inside: keeps what it is sent, and answers receivers and texts as it is told."""

    def __init__(self, answer="250 OK", verdict="250 taken"):
        self.answer, self.verdict, self.mails = answer, verdict, []

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.answer

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append((session.ssl is not None, envelope.mail_from, envelope.rcpt_tos, message))
        return self.verdict


def authenticate(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login.decode(), data.password.decode()) == LOGIN)


class MailServer:
    """Takes mails for a mailbox. A context manager. With `tls`, a folder with a certificate, it wants STARTTLS and the
    login."""

    def __init__(self, mailbox, tls=None):
        options = {}
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls / "cert.pem", tls / "key.pem")
            options = {"tls_context": context, "require_starttls": True, "authenticator": authenticate,
                       "auth_required": True}  # fmt: skip
        self.holder = ports.reserve()
        self.port = self.holder.getsockname()[1]
        self.controller = Controller(mailbox, hostname="127.0.0.1", port=self.port, ready_timeout=START_SECONDS, **options)

    def __enter__(self):
        self.controller.start()
        return self

    def __exit__(self, *_):
        self.controller.stop()
        self.holder.close()
