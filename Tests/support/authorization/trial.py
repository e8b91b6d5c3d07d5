"""Tries one row of the table with callers of every kind."""

import grpc

from .answers import DENIED, NOT_FOUND, OK, UNAUTHENTICATED, ask, contains, make_request, without

# Field 2047, a number.
UNKNOWN_FIELD = b"\xf8\x7f\x01"
# As octet.options.v1.Access has them.
PUBLIC, ROLE = 1, 4
# Whatever else a call that may be made comes to, it is none of these.
BROKEN = (UNAUTHENTICATED, grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN,
          grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.INVALID_ARGUMENT)  # fmt: skip


def refusal_by_policy(row, callers, name):
    """How the policy alone refuses a caller; None if it lets the caller through."""
    policy = row.policy
    if name in callers.are_out:
        return UNAUTHENTICATED
    if name == "nobody":
        return None if policy.access == PUBLIC else UNAUTHENTICATED
    holds = name in row.granted or callers.holds(name, policy.roles)
    if policy.access == ROLE or (name in callers.are_machines and policy.access != PUBLIC):
        return None if holds else DENIED
    return None


def told_secrets(world, name, answer, asked=b""):
    """What an answer tells somebody who may not know it, and has not said it."""
    return [
        secret
        for secret, knowers in world.secrets.items()
        if name not in knowers and secret.encode() not in asked and contains(answer, secret)
    ]


def with_another_body(request):
    """The same request with one field more, which the server keeps though it does not know it."""
    return type(request).FromString(request.SerializeToString() + UNKNOWN_FIELD)


class Trial:
    """All that comes of one row. `faults` has what is wrong."""

    def __init__(self, world, row):
        self.world, self.row, self.callers = world, row, world.callers
        self.faults = []

    def fault(self, name, what, answer=None):
        self.faults.append(f"{self.row.name} by {name}: {what}" + (f": {answer}" if answer else ""))

    def request(self, identifier):
        return make_request(self.row.path, self.row.request_fields(self.world, identifier))

    def ask(self, name, identifier):
        return self.send(name, self.request(identifier))

    def send(self, name, request):
        answer = ask(self.callers[name], self.row.path, request)
        for secret in told_secrets(self.world, name, answer, request.SerializeToString()):
            self.fault(name, f"is told {secret}", answer)
        return answer

    def identifier(self):
        """That of the thing which the row is about; None if it is about none."""
        return self.world.thing(self.row.thing) if self.row.thing else None

    def triers(self):
        """Those whom the policy lets through and who are to try."""
        return [
            name
            for name in self.callers.names()
            if refusal_by_policy(self.row, self.callers, name) is None
            and (self.row.triers is None or name in self.row.triers)
        ]

    def permitted(self):
        """Those of them who may do it."""
        return [name for name in self.triers() if self.row.may(self.callers, name)]

    def run(self):
        self.world.beat()
        identifier = self.identifier()
        missing = self.world.missing(self.row.thing) if self.row.thing else None
        triers, permitted = self.triers(), self.permitted()
        for name in self.callers.names():
            refusal = refusal_by_policy(self.row, self.callers, name)
            if refusal is not None:
                self.expect_refusal(name, [refusal], identifier, missing)
            elif name not in triers or name in permitted:
                continue
            elif name in self.row.knowers:
                self.expect_soundness(name, self.ask(name, identifier))
            else:
                self.expect_refusal(name, self.row.refusals, identifier, missing)
        self.permit(permitted, identifier)
        return self.faults

    def expect_refusal(self, name, codes, identifier, missing):
        answer = self.ask(name, identifier)
        if answer.code not in codes:
            self.fault(name, f"expected {codes}", answer)
        if identifier is not None:
            other = self.ask(name, missing)
            if without(answer, identifier) != without(other, missing):
                self.fault(name, "what is there is told from what is not", (answer, other))

    def expect_soundness(self, name, answer):
        # What makes no sense with oneself is refused as such.
        if answer.code in BROKEN and "SELF_TARGET" not in repr(answer.details):
            self.fault(name, "unexpected", answer)

    def permit(self, names, identifier):
        """Those who may do it: the thing is there, and the request is one that can succeed."""
        row, answers = self.row, {}
        if row.prepare is not None:
            row.prepare(self.world)
        for name in sorted(names, key=lambda name: name != row.owner):
            own = self.world.fresh(row.thing) if row.is_fresh and row.thing else identifier
            request = self.request(own)
            answers[name] = answer = self.send(name, request)
            if not row.is_proved:
                continue
            self.expect_soundness(name, answer)
            if answer.code in (NOT_FOUND, DENIED):
                self.fault(name, "is refused", answer)
            if answer.code == OK and row.is_kept:
                # Also by whoever has just ended the session, the thing or the right to it.
                again = self.send(name, request)
                if again != answer:
                    self.fault(name, "a repeat is answered otherwise", (answer, again))
                self.expect_reuse_refused(name, request)
            if answer.code == OK and row.finish is not None:
                row.finish(self.world, name)
        if row.is_proved and not any(answer.code == OK for answer in answers.values()):
            self.fault("all", "nobody succeeds, so nothing is proved", answers)

    def expect_reuse_refused(self, name, request):
        """A request_id is good for one request. Whoever has just ended the session, or the right to it, is refused before."""
        answer = self.send(name, with_another_body(request))
        if answer.code in (UNAUTHENTICATED, DENIED):
            return
        if answer.code != grpc.StatusCode.ALREADY_EXISTS or not contains(answer, "REQUEST_ID_REUSED"):
            self.fault(name, "a request_id is good for another body", answer)
