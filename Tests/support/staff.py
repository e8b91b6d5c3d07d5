"""Members of staff on a server with demo data."""

from . import stubs
from .people import DEMO_PASSWORD, Person, request_id

# Each of them covers the role of that name in each domain.
ROLES = ("admin", "ops", "support", "moderator")


def with_all_roles(channel, kind=Person):
    """Somebody whom every method lets in that lets anybody in."""
    roles = stubs.module("octet.identity.v1.role_service_pb2")
    admin = Person(channel, "demo_admin", DEMO_PASSWORD, register=False)
    handle = f"all_{request_id()[:8]}"
    user = Person(channel, handle).user_id
    for role in ROLES:
        request = roles.GrantRoleRequest(request_id=request_id(), user_id=user, role=role)
        admin.call("octet.identity.v1.RoleService/GrantRole", request)
    # The token of a later login names the grants that were made meanwhile.
    return kind(channel, handle, register=False)
