internal import Base

/// The uploads that a store has open in this process. They are not held: one that its user forgets closes itself.
package final class OpenUploads<Upload: BlobUpload>: Sendable {
  /// A class, because this toolchain's code copies an absent value of a generic structure with a weak reference as if
  /// it were there.
  private final class Entry {
    weak var upload: Upload?
    let identity: ObjectIdentifier

    init(_ upload: Upload) {
      self.upload = upload
      identity = ObjectIdentifier(upload)
    }
  }

  private let entries = Locked<[UploadID: Entry]>([:])

  package init() {}

  /// The upload of this name, which is no longer the open one.
  package func take(_ id: UploadID) -> Upload? {
    entries.withLock { $0.removeValue(forKey: id)?.upload }
  }

  package func insert(_ upload: Upload) {
    entries.withLock { $0[upload.id] = Entry(upload) }
  }

  /// All that are open, which are so no longer.
  package func takeAll() -> [Upload] {
    entries.withLock { entries in
      defer { entries = [:] }
      return entries.values.compactMap(\.upload)
    }
  }

  /// Forgets an upload that is going, unless somebody else has it by now. Compares identities and does not look at the
  /// weak reference: what it returns might be released here, under the lock, and come back here.
  package func forget(_ id: UploadID, _ identity: ObjectIdentifier) {
    entries.withLock { entries in
      if entries[id]?.identity == identity { entries[id] = nil }
    }
  }
}
