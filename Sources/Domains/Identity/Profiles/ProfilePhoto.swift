import Base
import DomainKit
import IdentityAPI
import Storage
import WellKnownTypes

/// The picture of a person: a file that is a part of the user, so whoever may see the profile may see it.
enum ProfilePhoto {
  private static let slot = "photo"
  /// What a request calls the upload.
  private static let field = "photo_upload_id"
  /// What is made of a picture and shown of it.
  private static let rendition = "w640"

  /// What is wanted of a picture.
  enum Wish: Sendable {
    case another(upload: Identifier)
    case none

    /// - Parameter text: of the request; empty for none.
    init(_ text: String) throws {
      self =
        try text.isEmpty ? .none : .another(upload: Identifier(text, kind: IDKind.upload, field: field))
    }
  }

  /// Shows another picture of a user whom this transaction holds.
  static func set(_ wish: Wish, of user: UserRow, _ files: (any Files)?, in writer: any Writer) throws {
    let subject = SubjectID(IDKind.user, user.id)
    var blob: Identifier?
    if case .another(let upload) = wish {
      guard let files else { throw KitError.notFound("upload") }
      blob = try files.attach(upload, of: user.id, to: subject, as: slot, kind: .image, field: field, in: writer).blob
    }
    // The same picture once more stays.
    guard blob != user.photo else { return }
    if let old = user.photo { try files?.detach(old, from: subject, as: slot, in: writer) }
    try writer.execute("UPDATE identity_users SET photo_id = $2 WHERE id = $1", user.id, blob)
  }

  /// Adds to a profile where its picture is given, if it is ready, for somebody who may see the profile. Such paths are in no
  /// row, and so in no reply that is stored.
  /// - Parameter viewer: nil for one without credentials.
  static func addPath(
    to profile: inout Profile, for viewer: Identifier?, _ files: (any Files)?, in reader: any Reader
  ) throws {
    guard !profile.photoID.isEmpty, let files else { return }
    let user = SubjectID(IDKind.user, try Identifier.parse(profile.userID, kind: IDKind.user))
    // Nobody's id is 0.
    let signed = try files.sign(
      Identifier.parse(profile.photoID, kind: IDKind.blob), in: user, as: slot, rendition: rendition,
      for: viewer ?? Identifier(rawValue: 0), reader)
    guard let signed else { return }
    profile.photoPath = signed.path
    profile.photoPathExpireTime = Timestamp(signed.expiresAt)
  }
}
