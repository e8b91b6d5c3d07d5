"""The table of all methods: for each one what it is about, who may, and a valid request for it.

A method that is not in the table fails the test: add a row to its domain's file.
"""

import dataclasses
import typing

from ..people import method_descriptor
from .answers import NOT_FOUND, policy_of

ROWS = []


@dataclasses.dataclass(frozen=True)
class Row:
    """A way to call a method. Who may call it at all is in its policy; the rest is here."""

    path: str
    # The request's fields as a dict made from the world: those but for `field`; without one all of them, made from the
    # thing's id as well.
    fields: typing.Callable
    # The thing that the request names in `field`. None: the caller's own things, or nothing that anybody owns.
    thing: str | None = None
    field: str = ""
    # Whose it is, and who else may, beside holders of the policy's roles.
    owner: str = "owner"
    also: frozenset = frozenset()
    # Those who hold one of the policy's roles on it.
    granted: frozenset = frozenset()
    # Those who know of the thing, and are told what they may not.
    knowers: frozenset = frozenset()
    # Of a thing that all may see: those from whom it is hidden. None: from all who may not.
    hidden_from: frozenset | None = None
    # The role whose holders alone may, although others are let through. Empty: there is none.
    is_for: str = ""
    # What others than these are answered, the same for what is not there.
    refusals: tuple = (NOT_FOUND,)
    # Those whom the policy lets through and who are to try. None: all of them.
    triers: tuple | None = None
    # Whether each who may gets a thing of his or her own to try it on.
    is_fresh: bool = False
    # Whether somebody who may must succeed. False: nobody can on this server, as the row's comment says.
    is_proved: bool = True
    # Called before those who may try it, with the world; and after each who succeeds, with the world and the name.
    prepare: typing.Callable | None = None
    finish: typing.Callable | None = None

    @property
    def policy(self):
        return policy_of(self.path)

    @property
    def is_kept(self):
        """Whether a repeat of a call gets the reply of the first one."""
        method = method_descriptor(self.path)
        return self.policy.mutates and not method.client_streaming and not method.server_streaming

    @property
    def name(self):
        return f"{self.path} {self.thing or ''}".strip()

    def request_fields(self, world, identifier):
        if self.thing is not None and not self.field:
            return self.fields(world, identifier)
        fields = dict(self.fields(world))
        if self.thing is not None:
            *outer, last = self.field.split(".")
            target = fields
            for part in outer:
                target = target.setdefault(part, {})
            target[last] = identifier
        return fields

    def may(self, callers, name):
        """Whether somebody whom the policy lets through may do it."""
        if self.thing is None:
            return not self.is_for or callers.holds(name, [self.is_for])
        if self.hidden_from is not None:
            return name not in self.hidden_from
        return name in {self.owner, *self.also, *self.granted} or callers.holds(name, self.policy.roles)


class Service:
    """Adds the rows of one service."""

    def __init__(self, name):
        self.name = name

    def __call__(self, method, thing=None, field="", /, *, fields=lambda world: {}, **more):
        for name in ("also", "granted", "knowers", "hidden_from"):
            if name in more:
                more[name] = frozenset(more[name])
        ROWS.append(Row(f"{self.name}/{method}", fields, thing, field, **more))
