"""Codes and challenges of a real octetd: read from the spool, and answered, by a foreign client."""

import re

import grpc
from support import ports, stubs
from support.codes import account_call, accounts, code_in, proved_person
from support.notices import FLAGS, letters
from support.people import Person, Stranger, log_in, outcome
from support.puzzles import solve
from support.server import Server

SESSIONS = "octet.identity.v1.SessionService"
NEW_PASSWORD = "ninety purple elephants"
PD, FP, UA = (
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.UNAUTHENTICATED,
)

sessions = stubs.module("octet.identity.v1.session_service_pb2")


def test_a_code_goes_out_after_kill_9_and_proves_a_contact(tmp_path):
    email = "ada@example.org"
    holder = ports.reserve()
    nobody = ["--smtp-server", f"localhost:{holder.getsockname()[1]}", "--smtp-from", "a@example.org", "--smtp-tls=false"]
    with Server(tmp_path, *FLAGS, *nobody) as server:
        ada = Person(server.channel(), "ada_c")
        account_call(ada, "SendCode", email=email)
        server.kill()
    holder.close()
    assert letters(tmp_path / "spool") == {}
    with Server(tmp_path, *FLAGS) as server:
        ada = Person(server.channel(), "ada_c", register=False)
        code = code_in(tmp_path / "spool", email)
        assert len(letters(tmp_path / "spool")) == 1
        for number in range(4):
            wrong = outcome(lambda: account_call(ada, "ConfirmContact", email=email, code=f"{number}-{number}"))
            assert wrong[:2] == (PD, "WRONG_CODE")
        user = account_call(ada, "ConfirmContact", email=email, code=code)
        assert (user.state, user.level) == (accounts.USER_STATE_ACTIVE, accounts.USER_LEVEL_CONTACT)
        again = outcome(lambda: account_call(ada, "ConfirmContact", email=email, code=code))
        assert again[:2] == (FP, "CODE_EXPIRED")
        assert log_in(Stranger(server.channel()), email).user.id == ada.user_id
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("octet.db*"))
    assert b"identity_codes" in stored and email.encode() not in stored
    assert not re.search(rb"Your code is \d{6}", stored)


def test_acceptance_3_the_right_code_works_after_four_wrong_ones_once_and_not_after_five(tmp_path, engine_flags):
    with Server(tmp_path, *FLAGS, *engine_flags) as server:
        channel = server.channel()

        def confirmations(handle, wrong_ones):
            """Confirms a contact by so many wrong codes, and then twice by the right one."""
            person, email = Person(channel, handle), f"{handle}@example.org"
            account_call(person, "SendCode", email=email)
            code = code_in(tmp_path / "spool", email)
            codes = [str((int(code) + 1) % 1_000_000).zfill(6)] * wrong_ones + [code] * 2
            return [
                outcome(lambda each=each: account_call(person, "ConfirmContact", email=email, code=each))[:2]
                for each in codes
            ]

        wrong, right = (PD, "WRONG_CODE"), (grpc.StatusCode.OK, None)
        assert confirmations("gus_c", 4) == [wrong] * 4 + [right, (FP, "CODE_EXPIRED")]
        too_many = (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_ATTEMPTS")
        assert confirmations("gil_c", 5) == [wrong] * 5 + [too_many] * 2


def test_a_reset_code_sets_a_password_and_ends_all_sessions(tmp_path):
    email, spool = "bob@example.org", tmp_path / "spool"
    with Server(tmp_path, *FLAGS) as server:
        channel = server.channel()
        bob, stranger = proved_person(channel, spool, "bob_c", email), Stranger(channel)
        known = account_call(stranger, "SendResetCode", email=email)
        unknown = account_call(stranger, "SendResetCode", email="nobody@example.org")
        for reply in (known, unknown):
            assert 1799 <= reply.expire_time.seconds - reply.resend_time.seconds + 60 <= 1801
        code = code_in(spool, email, r"\b[0-9A-Z]{20}\b")
        fields = {"email": email, "code": code, "new_password": NEW_PASSWORD}
        assert account_call(stranger, "ResetPassword", **fields).ended_count == 1
        listing = outcome(lambda: bob.call(f"{SESSIONS}/ListSessions", sessions.ListSessionsRequest()))
        assert listing[:2] == (UA, "SESSION_ENDED")
        assert outcome(lambda: log_in(stranger, "bob_c"))[:2] == (UA, "WRONG_CREDENTIALS")
        assert log_in(stranger, "bob_c", NEW_PASSWORD).user.id == bob.user_id
        # Not those that are just being written.
        assert {one["address"] for one in letters(spool).values() if one} == {email}


def test_a_challenge_is_answered(tmp_path):
    with Server(tmp_path, *FLAGS) as server:
        eve, stranger = Person(server.channel(), "eve_c"), Stranger(server.channel())
        for _ in range(5):
            assert outcome(lambda: log_in(stranger, "eve_c", "wrong"))[:2] == (UA, "WRONG_CREDENTIALS")
        assert outcome(lambda: log_in(stranger, "eve_c"))[:2] == (FP, "CHALLENGE_REQUIRED")
        request = sessions.GetChallengeRequest(method=f"{SESSIONS}/Login")
        solution = solve(stranger.call(f"{SESSIONS}/GetChallenge", request))
        assert log_in(stranger, "eve_c", metadata=(("octet-challenge", solution),)).user.id == eve.user_id
