import Base
import Blobs
import Cryptography
import DomainKit
import Storage
import Streaming

/// What all parts of media work with. Its methods in other files run inside a transaction that the caller has opened,
/// unless they are `async`.
struct MediaCore: Sendable {
  let kit: Kit
  let timers: Timers
  let limits: MediaLimits
  /// Signs URLs.
  let linkKey: SecretKey

  var now: Instant { kit.clock.now() }

  /// What becomes of an upload, as encoded `Upload`: each time that a stream takes it up, and its end.
  func topic(ofUpload id: Identifier) -> Topic { Topic("upload", id.text(kind: IDKind.upload)) }

  /// What becomes of a blob, as encoded `WatchBlobResponse`.
  func topic(ofBlob id: Identifier) -> Topic { Topic("blob", id) }
}

/// The kind prefixes of the domain's ids.
enum IDKind {
  static let user = "user"
  static let upload = "upl"
  static let blob = "blob"
}

/// Who refers to contents in the store of blobs: the domain's rows.
enum ContentOwner {
  static let holdingKind = "media.holding"
  static let useKind = "media.use"
  static let renditionKind = "media.rendition"

  static func holding(_ blob: Identifier, _ user: Identifier) -> BlobOwner {
    BlobOwner(holdingKind, "\(blob.rawValue)/\(user.rawValue)")
  }

  static func use(_ blob: Identifier, _ subject: String, _ slot: String) -> BlobOwner {
    BlobOwner(useKind, "\(blob.rawValue)/\(subject)/\(slot)")
  }

  static func rendition(_ blob: Identifier, _ profile: String) -> BlobOwner {
    BlobOwner(renditionKind, "\(blob.rawValue)/\(profile)")
  }
}
