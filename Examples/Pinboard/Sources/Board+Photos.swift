import Base
import Blobs
import DomainKit
import Storage

/// An advert's photo is an upload that has become a part of it: whoever sees the advert sees the photo, as long as it hangs.
extension Board {
  static let photoKind = "blob"
  /// Which part of the advert.
  private static let photoSlot = "photo"

  func attach(
    _ upload: Identifier, of owner: Identifier, to advert: SubjectID, in writer: any Writer
  ) throws -> Identifier {
    let file = try parts.files.attach(
      upload, of: owner, to: advert, as: Self.photoSlot, kind: .image, field: "photo_upload_id", in: writer)
    if case .failed = file.state { throw PinboardError.badPhoto }
    return file.blob
  }

  /// The bytes of one, for the export of its owner; nil for an advert without.
  func photo(of row: AdvertRow, in reader: any Reader) throws -> BlobInfo? {
    guard let photo = row.photo else { return nil }
    return try parts.files.content(
      of: photo, in: SubjectID(AdvertRow.idKind, row.id), as: Self.photoSlot, rendition: nil, reader)
  }

  /// Takes one off that turned out to be none.
  func detach(_ photo: Identifier, from id: Identifier, in writer: any Writer) throws {
    try writer.execute("UPDATE pinboard_adverts SET photo_id = NULL WHERE id = $1 AND photo_id = $2", id, photo)
    try parts.files.detach(photo, from: SubjectID(AdvertRow.idKind, id), as: Self.photoSlot, in: writer)
  }
}

extension AdvertKind {
  func settled(_ file: StoredFile, as slot: String, of id: Identifier, in writer: any Writer) throws {
    if case .failed = file.state { try board.detach(file.blob, from: id, in: writer) }
  }
}
