"""People: accounts, sessions, profiles, roles, machines, verifications."""

from ..people import PASSWORD
from .answers import DENIED, FAILED_PRECONDITION, NOT_FOUND
from .callers import SEES_HIDDEN
from .rows import Service


accounts = Service("octet.identity.v1.AccountService")
accounts("Register", fields=lambda w: {"handle": f"m_{w.word('handle')}", "password": PASSWORD}, triers=("nobody",))
accounts("SendCode", fields=lambda w: {"email": "spare@example.com"}, triers=("spare",))
# No code was sent there, and wrong ones are refused alike.
accounts("ConfirmContact", fields=lambda w: {"email": "other@example.com", "code": "123456"}, is_proved=False)
accounts("SendResetCode", fields=lambda w: {"email": "nobody@example.com"}, triers=("nobody",))
accounts(
    "ResetPassword",
    fields=lambda w: {"email": "nobody@example.com", "code": "A" * 20, "new_password": PASSWORD + "!"},
    triers=("nobody",),
    is_proved=False,
)
accounts(
    "ChangePassword",
    fields=lambda w: {"old_password": PASSWORD, "new_password": PASSWORD + " 2"},
    triers=("spare",),
    finish=lambda w, name: setattr(w.callers[name], "password", PASSWORD + " 2"),
)
accounts("StartExport", triers=("owner elsewhere",))
accounts("WatchExport", "export", "export_id")
accounts("SuspendAccount", "disposable_user", "user_id", is_fresh=True)
accounts("RestoreAccount", "suspended_user", "user_id", is_fresh=True)
# This one is not suspended, so there is nothing to close.
accounts(
    "CloseSuspendedAccount",
    fields=lambda w: {"login_name": "m_stranger", "password": PASSWORD},
    triers=("nobody",),
    is_proved=False,
)

sessions = Service("octet.identity.v1.SessionService")
sessions("Login", fields=lambda w: {"login_name": "m_stranger", "password": PASSWORD}, triers=("nobody",))
sessions("RefreshSession", fields=lambda w: {"refresh_token": w.refresh_token()}, triers=("nobody",))
sessions("GetChallenge", fields=lambda w: {"method": "octet.identity.v1.SessionService/Login"})
sessions("StepUp", fields=lambda w: {"password": PASSWORD}, triers=("owner",))
sessions("ListSessions")
sessions("EndSession", "session", "session_id", is_fresh=True)

profiles = Service("octet.identity.v1.ProfileService")
profiles("GetProfile", "hidden_user", "user_id", owner="hidden", also=SEES_HIDDEN)
profiles("GetProfile", "public_user", "user_id", hidden_from=("blocked",))
profiles("GetProfile", "blocker_user", "user_id", hidden_from=("owner",))
profiles("UpdateProfile", fields=lambda w: {"etag": w.profile_etag(), "about": "spare"}, triers=("spare",))
profiles("PutAddress", "address", "address_id", fields=lambda w: {"address": w.address()})
profiles("ListAddresses")
profiles("DeleteAddress", "address", "address_id", is_fresh=True)
profiles("GetPreferences")
profiles("SetPreferences", fields=lambda w: {"preferences": {"language": "fi"}}, triers=("spare",))

roles = Service("octet.identity.v1.RoleService")
roles(
    "GrantRole",
    "disposable_user",
    "user_id",
    fields=lambda w: {"role": "notify.ops"},
    owner="admin",
    refusals=(DENIED,),
    is_fresh=True,
)
roles("RevokeRole", "grant", "grant_id", owner="admin", is_fresh=True)
# On a thing its owners give and take roles, and nobody else's owners do.
roles(
    "GrantRole",
    "section",
    "resource_id",
    fields=lambda w: {"role": "pinboard.editor", "user_id": w.thing("disposable_user")},
    owner="pinboard.owner",
)
roles("RevokeRole", "section_grant", "grant_id", owner="pinboard.owner", is_fresh=True)
roles("ListRoles", "public_user", "user_id")
roles("ListRoles", "section", "resource_id", owner="pinboard.owner")
roles("ListRoles")

credentials = Service("octet.identity.v1.CredentialService")
credentials("CreateCredential", fields=lambda w: w.credential(), is_for="admin", refusals=(DENIED,))
credentials("ListCredentials")
credentials("RevokeCredential", "credential", "credential_id", owner="admin", is_fresh=True)
credentials("CreateCredential", "section", fields=lambda w, section: w.section_credential(section),
            owner="pinboard.owner")  # fmt: skip
credentials("ListCredentials", "section", "resource_id", owner="pinboard.owner")
credentials("RevokeCredential", "section_credential", "credential_id", owner="pinboard.owner", is_fresh=True)

verifications = Service("octet.identity.v1.VerificationService")
verifications(
    "SubmitVerification",
    "complete_upload",
    fields=lambda w, upload: {"documents": [w.verification_document(upload)]},
    owner="lapsed",
    # Whoever has one that waits is told so, whatever is handed in.
    refusals=(NOT_FOUND, FAILED_PRECONDITION),
)
verifications("GetVerification", "verified_user", "user_id")
verifications("ListVerifications")
verifications("ReviewVerification", "verification", "verification_id",
              fields=lambda w: {"decision": "VERIFICATION_STATE_REJECTED"})  # fmt: skip

# These end what the others need.
sessions("EndAllSessions", fields=lambda w: {"keep_current": True}, triers=("spare",))
accounts("CloseAccount", triers=("spare",), finish=lambda w, name: w.callers.are_gone.add(name))
sessions("Logout", triers=("lapsed",))
