"""Mails by a real SMTP server, push messages by a real HTTP server."""

import collections
import contextlib
import http.server
import json
import re
import sqlite3
import subprocess
import threading
import time

import grpc
import pytest
from support import stubs
from support.codes import account_call
from support.mail import LOGIN, Mailbox, MailServer
from support.notices import FLAGS, announce, await_that, call, letters, notice, notify, register_push, staff
from support.people import PASSWORD, Person, Stranger, outcome, request_id
from support.server import BUILD, Server


def run(*arguments):
    return subprocess.run([BUILD / "octetd", *map(str, arguments)], capture_output=True, text=True, timeout=120)


@pytest.fixture
def post_office(tls):
    """Starts mail servers; they want STARTTLS and the login."""
    with contextlib.ExitStack() as running:
        yield lambda mailbox, encrypted=True: running.enter_context(MailServer(mailbox, tls if encrypted else None)).port


def mail_flags(port, tls):
    return ["--smtp-server", f"localhost:{port}", "--smtp-from", "octet@example.org", "--smtp-user", LOGIN[0],
            "--smtp-ca", tls / "ca.pem", "--unsubscribe-url", "https://example.org/stop?token="]  # fmt: skip


def register_with_mail(tmp_path, handle, address):
    """Makes an account whose e-mail address is proved, before the server that the test is about is started."""
    accounts = stubs.module("octet.identity.v1.account_service_pb2")
    with Server(tmp_path, *FLAGS) as server:
        request = accounts.RegisterRequest(request_id=request_id(), handle=handle, password=PASSWORD, email=address)
        Stranger(server.channel()).call("octet.identity.v1.AccountService/Register", request)
    with sqlite3.connect(tmp_path / "octet.db") as database:
        database.execute("UPDATE identity_contacts SET proved_at = claimed_at")
    database.close()


def choose_mail(person):
    settings = call(person, "GetChannels", notify.GetChannelsRequest())
    request = notify.SetChannelsRequest(request_id=request_id(), etag=settings.etag)
    request.kinds.add(kind="notify.announcement", channels=[notice.CHANNEL_MAIL])
    call(person, "SetChannels", request)


def deliveries(ops, person):
    return call(ops, "ListDeliveries", notify.ListDeliveriesRequest(user_id=person.user_id)).deliveries


def test_mails_go_over_tls_with_a_login_and_can_be_stopped(tmp_path, tls, post_office, monkeypatch):
    mailbox = Mailbox()
    register_with_mail(tmp_path, "ada_m", "ada@example.org")
    monkeypatch.setenv("OCTET_SMTP_PASSWORD", LOGIN[1])
    with Server(tmp_path, *FLAGS, *mail_flags(post_office(mailbox), tls)) as server:
        ops, ada = staff(server.channel()), Person(server.channel(), "ada_m", register=False)
        choose_mail(ada)
        title = "Grüße, 世界: " + "lang " * 19 + "lang"
        announce(ops, [ada.user_id], title, text=".\nA line with a dot\n..\nünd more")
        await_that(lambda: mailbox.mails, "no mail came")
        encrypted, sender, receivers, message = mailbox.mails[0]
        assert encrypted and sender == "octet@example.org" and receivers == ["ada@example.org"]
        assert message["subject"] == title
        assert message["from"] == "octet@example.org" and message["to"] == "ada@example.org"
        text = message.get_content()
        assert text.startswith(".\nA line with a dot\n..\nünd more")
        await_that(lambda: [d.state for d in deliveries(ops, ada)] == [notice.DELIVERY_STATE_SENT], "not settled")
        note = deliveries(ops, ada)[0].notice_id
        assert message["message-id"] == f"<{note}.mail@example.org>"
        link = message["list-unsubscribe"].strip("<>")
        assert link in text and link.startswith("https://example.org/stop?token=")
        request = notify.UnsubscribeRequest(request_id=request_id(), token=link.split("token=")[1])
        assert call(Stranger(server.channel()), "Unsubscribe", request).kind == "notify.announcement"
        announce(ops, [ada.user_id], "Again")
        inbox = notify.ListInboxRequest()
        await_that(lambda: len(call(ada, "ListInbox", inbox).notices) == 2, "the notice is not there")
        assert len(deliveries(ops, ada)) == 1
    assert letters(tmp_path / "spool") == {}


@pytest.mark.parametrize(
    ("answers", "state", "word"),
    [
        ({"answer": "550 no such mailbox"}, "FAILED", "550"),
        ({"answer": "451 try later"}, "QUEUED", "451"),
        ({"verdict": "554 spam"}, "FAILED", "554"),
        ({"verdict": "452 the disk is full"}, "QUEUED", "452"),
    ],
)
def test_what_a_mail_server_says_is_heeded(tmp_path, tls, post_office, monkeypatch, answers, state, word):
    register_with_mail(tmp_path, "bob_m", "bob@example.org")
    monkeypatch.setenv("OCTET_SMTP_PASSWORD", LOGIN[1])
    with Server(tmp_path, *FLAGS, *mail_flags(post_office(Mailbox(**answers)), tls)) as server:
        ops, bob = staff(server.channel()), Person(server.channel(), "bob_m", register=False)
        choose_mail(bob)
        announce(ops, [bob.user_id], "Hello")
        # A try may have come to nothing before there was an answer.
        await_that(lambda: any(word in d.reason for d in deliveries(ops, bob)), "no such answer was noted")
        delivery = deliveries(ops, bob)[0]
        assert notice.DeliveryState.Name(delivery.state).endswith(state)
        assert "bob@example.org" not in delivery.reason and "example.org" not in "".join(server.log)


def test_codes_go_by_mail(tmp_path, tls, post_office, monkeypatch):
    mailbox, email = Mailbox(), "cora@example.org"
    monkeypatch.setenv("OCTET_SMTP_PASSWORD", LOGIN[1])

    def code(pattern):
        """The one that came by mail."""

        def found():
            texts = [message.get_content() for _, _, receivers, message in mailbox.mails if receivers == [email]]
            return [match.group() for match in map(re.compile(pattern).search, texts) if match]

        await_that(found, "no code came")
        return found()[0]

    with Server(tmp_path, *FLAGS, *mail_flags(post_office(mailbox), tls)) as server:
        cora, stranger = Person(server.channel(), "cora_m"), Stranger(server.channel())
        account_call(cora, "SendCode", email=email)
        account_call(cora, "ConfirmContact", email=email, code=code(r"\b\d{6}\b"))
        account_call(stranger, "SendResetCode", email=email)
        reset = code(r"\b[0-9A-Z]{20}\b")
        account_call(stranger, "ResetPassword", email=email, code=reset, new_password=PASSWORD + " 2")
        assert Person(server.channel(), "cora_m", PASSWORD + " 2", register=False).user_id == cora.user_id
    assert letters(tmp_path / "spool") == {}


@pytest.mark.parametrize("fault", ["no TLS", "another certificate", "another password"])
def test_nothing_is_said_to_a_server_that_is_not_the_right_one(tmp_path, tls, post_office, monkeypatch, fault):
    mailbox = Mailbox()
    flags = mail_flags(post_office(mailbox, encrypted=fault != "no TLS"), tls)
    if fault == "another certificate":
        index = flags.index("--smtp-ca")
        del flags[index : index + 2]
    register_with_mail(tmp_path, "eve_m", "eve@example.org")
    monkeypatch.setenv("OCTET_SMTP_PASSWORD", "wrong" if fault == "another password" else LOGIN[1])
    with Server(tmp_path, *FLAGS, *flags) as server:
        ops, eve = staff(server.channel()), Person(server.channel(), "eve_m", register=False)
        choose_mail(eve)
        announce(ops, [eve.user_id], "Hello")
        await_that(lambda: any(d.tries for d in deliveries(ops, eve)), "it was not tried")
        assert deliveries(ops, eve)[0].state == notice.DELIVERY_STATE_QUEUED
    assert mailbox.mails == []


class PushServer:
    """An HTTP server that answers as it is told, and keeps what it was sent."""

    def __init__(self):
        self.answers, self.posts = {}, []
        self.silence = threading.Event()
        self.silence.set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.posts.append((self.path, dict(self.headers), json.loads(body)))
                outer.silence.wait()
                self.send_response(outer.answers.get(self.path, 201))
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def test_push_messages_go_to_allowed_servers_alone(tmp_path):
    push = PushServer()
    push.answers = {"/gone": 410, "/moved": 302, "/busy": 503}
    try:
        with Server(tmp_path, *FLAGS, "--push-origins", push.origin) as server:
            channel = server.channel()
            ops = staff(channel)
            people = {path: Person(channel, f"push_{path}") for path in ("fine", "gone", "moved", "busy")}
            for path, person in people.items():
                register_push(person, f"{push.origin}/{path}")
            for wrong in ("http://127.0.0.1:1/x", f"{push.origin}@evil.example/x", f"{push.origin}9/x", "file:///etc/passwd"):
                code, reason, _ = outcome(lambda: register_push(people["fine"], wrong))
                assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "PUSH_ADDRESS_REFUSED")
            announce(ops, [person.user_id for person in people.values()], "Hello", text="there")
            wanted = {"fine": ("SENT", ""), "gone": ("FAILED", "HTTP 410"), "moved": ("FAILED", "HTTP 302"),
                      "busy": ("QUEUED", "HTTP 503")}  # fmt: skip

            def states():
                found = {path: deliveries(ops, person) for path, person in people.items()}
                return {
                    path: (notice.DeliveryState.Name(one[0].state).rsplit("_", 1)[1], one[0].reason)
                    for path, one in found.items() if one
                }  # fmt: skip

            await_that(lambda: states() == wanted, f"the deliveries are {states()}")
            devices = {path: len(call(person, "GetChannels", notify.GetChannelsRequest()).devices)
                       for path, person in people.items()}  # fmt: skip
            assert devices == {"fine": 1, "gone": 0, "moved": 1, "busy": 1}
            # What was sent again was a try before. Looked at afterwards, as one more may be under way.
            posts = collections.Counter(path for path, *_ in push.posts)
            tries = {f"/{path}": deliveries(ops, person)[0].tries for path, person in people.items()}
            assert all(posts[path] <= 1 + tries[path] for path in tries), (posts, tries)
        # What was sent again is known by its key.
        keys = {(path, headers["Idempotency-Key"]) for path, headers, _ in push.posts}
        assert sorted(path for path, _ in keys) == ["/busy", "/fine", "/gone", "/moved"]
        _, headers, body = next(post for post in push.posts if post[0] == "/fine")
        assert body["title"] == "Hello" and body["text"] == "there" and body["kind"] == "notify.announcement"
        assert headers["Idempotency-Key"] == body["key"] and "address" not in body and "TTL" in headers
        assert letters(tmp_path / "spool") == {}
    finally:
        push.close()


def test_a_server_that_keeps_silent_holds_nothing_up(tmp_path):
    """The end of the server does not wait for it, and what was under way is no try."""
    push = PushServer()
    push.silence.clear()
    try:
        flags = (*FLAGS, "--push-origins", push.origin)
        with Server(tmp_path, *flags) as server:
            ops, ada = staff(server.channel()), Person(server.channel(), "ada_s")
            register_push(ada, f"{push.origin}/ada")
            announce(ops, [ada.user_id], "Hello")
            await_that(lambda: push.posts, "nothing was sent")
            posted = time.monotonic()
            assert server.stop(timeout=120) == 0
            ended = time.monotonic()
        push.silence.set()
        with Server(tmp_path, *flags) as server:
            ops, ada = staff(server.channel()), Person(server.channel(), "ada_s", register=False)
            await_that(lambda: deliveries(ops, ada)[0].state == notice.DELIVERY_STATE_SENT, "it was not sent again")
            # Nor was it given up for its silence, unless all stood still until that was due.
            assert deliveries(ops, ada)[0].tries == 0 or ended - posted > 15
        assert len({headers["Idempotency-Key"] for _, headers, _ in push.posts}) == 1
    finally:
        push.silence.set()
        push.close()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--smtp-from", "a@example.org"], "smtp-from needs smtp-server"),
        (["--smtp-server", "mail", "--smtp-from", "a@example.org"], "smtp-server: mail is not HOST:PORT"),
        (["--smtp-server", "mail:25/x", "--smtp-from", "a@example.org"], "is not HOST:PORT"),
        (["--smtp-server", "mail:25"], "smtp-server needs smtp-from"),
        (["--smtp-server", "mail:25", "--smtp-from", "a@example.org>"], "smtp-server needs smtp-from"),
        (["--smtp-server", "mail:25", "--smtp-from", "a@b.example", "--smtp-user", "u"], "go together"),
        (["--smtp-server", "mail:25", "--smtp-from", "a@b.example", "--unsubscribe-url", "javascript:x"], "is not a URL"),
        (["--smtp-password", "hush"], "OCTET_SMTP_PASSWORD"),
        (["--push-origins", "push.example"], "is not https://HOST"),
        (["--push-origins", "https://push.example/path"], "is not https://HOST"),
        (["--push-ca", "file"], "push-ca needs push-origins"),
    ],
)
def test_refuses_wrong_settings(tmp_path, flags, message):
    result = run("--listen", "127.0.0.1:0", "--data", tmp_path, *flags)
    assert result.returncode == 64 and message in result.stderr and "hush" not in result.stderr


def test_a_spool_that_cannot_be_written_is_a_clear_error(tmp_path):
    (tmp_path / "file").touch()
    result = run("--listen", "127.0.0.1:0", "--data", tmp_path / "data", "--spool", tmp_path / "file/spool")
    assert result.returncode == 74 and str(tmp_path / "file/spool") in result.stderr
