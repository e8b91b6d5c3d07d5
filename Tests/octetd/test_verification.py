"""Verifications on a real octetd: documents are uploads, staff reads them and decides."""

import io
import tarfile

import grpc

from support import stubs
from support.media import Uploader, blobs
from support.people import DEMO_PASSWORD, Person, outcome, request_id

VERIFICATION = "octet.identity.v1.VerificationService"
PASSPORT = b"%PDF a page with a picture " * 1000


def messages():
    return stubs.module("octet.identity.v1.verification_service_pb2")


def submit(person, *uploads):
    kind = messages().VERIFICATION_DOCUMENT_KIND_PASSPORT
    documents = [messages().SubmittedDocument(kind=kind, upload_id=upload) for upload in uploads]
    request = messages().SubmitVerificationRequest(request_id=request_id(), documents=documents)
    return person.call(f"{VERIFICATION}/SubmitVerification", request)


def waiting(person):
    """What staff has to decide, from all pages."""
    request = messages().ListVerificationsRequest(state=messages().VERIFICATION_STATE_PENDING, page_size=2)
    found = []
    while True:
        page = person.call(f"{VERIFICATION}/ListVerifications", request)
        found += page.verifications
        request.page_token = page.next_page_token
        if not request.page_token:
            return found


def test_documents_are_seen_by_staff_alone_and_approved(server):
    with server.channel() as channel:
        ada = Uploader(channel, f"user_{request_id()[:8]}")
        eve = Uploader(channel, f"user_{request_id()[:8]}")
        ops = Uploader(channel, "demo_ops", DEMO_PASSWORD, register=False)
        upload = ada.create(PASSPORT)
        assert outcome(lambda: submit(ada, upload.id))[1] == "UPLOAD_INCOMPLETE"
        ada.go_on(upload.id, PASSPORT)
        assert outcome(lambda: submit(eve, upload.id))[0] == grpc.StatusCode.NOT_FOUND
        film = ada.create(PASSPORT + b"2", blobs.BLOB_KIND_VIDEO)
        ada.go_on(film.id, PASSPORT + b"2")
        wrong_kind = (grpc.StatusCode.INVALID_ARGUMENT, "WRONG_FILE_KIND")
        assert outcome(lambda: submit(ada, upload.id, film.id))[:2] == wrong_kind
        verification = submit(ada, upload.id)
        (document,) = verification.documents
        assert ops.read(document.blob_id) == PASSPORT
        assert outcome(lambda: eve.read(document.blob_id))[0] == grpc.StatusCode.NOT_FOUND
        review = messages().ReviewVerificationRequest(
            request_id=request_id(),
            verification_id=verification.id,
            decision=messages().VERIFICATION_STATE_APPROVED,
        )
        assert outcome(lambda: eve.call(f"{VERIFICATION}/ReviewVerification", review))[1] == "PERMISSION_DENIED"
        assert verification in waiting(ops)
        assert outcome(lambda: waiting(eve))[1] == "PERMISSION_DENIED"
        decided = ops.call(f"{VERIFICATION}/ReviewVerification", review)
        assert decided.state == messages().VERIFICATION_STATE_APPROVED
        assert verification.id not in [other.id for other in waiting(ops)]
        accounts = stubs.module("octet.identity.v1.account_service_pb2")
        again = Person(channel, ada.handle, register=False)
        assert again.login.user.level == accounts.USER_LEVEL_VERIFIED


def test_an_export_has_what_somebody_uploaded(server):
    exports = stubs.module("octet.identity.v1.export_pb2")
    with server.channel() as channel:
        ada = Uploader(channel, f"user_{request_id()[:8]}")
        picture = b"a picture of a harp " * 5000
        ada.send(picture)
        start = exports.StartExportRequest(request_id=request_id())
        begun = ada.call("octet.identity.v1.AccountService/StartExport", start)
        watch = exports.WatchExportRequest(export_id=begun.id)
        *_, last = [part.export for part in ada.stream("octet.identity.v1.AccountService/WatchExport", watch)]
        with tarfile.open(fileobj=io.BytesIO(ada.read(last.blob_id))) as archive:
            (name,) = [name for name in archive.getnames() if name.startswith("blobs/")]
            assert archive.extractfile(name).read() == picture
