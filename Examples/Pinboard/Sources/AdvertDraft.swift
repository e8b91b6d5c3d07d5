import Base
import DomainKit
import PinboardAPI

/// What somebody wants to pin.
struct AdvertDraft: Sendable {
  let title: String
  let text: String
  /// Nil for none.
  let section: Identifier?
  /// The upload; nil for none.
  let photo: Identifier?

  init(_ request: PinAdvertRequest) throws(KitError) {
    (title, text) = (request.title, request.text)
    section =
      request.sectionID.isEmpty
      ? nil : try Identifier(request.sectionID, kind: Sections.idKind, field: "section_id")
    photo =
      request.photoUploadID.isEmpty
      ? nil : try Identifier(request.photoUploadID, kind: "upl", field: "photo_upload_id")
  }
}
