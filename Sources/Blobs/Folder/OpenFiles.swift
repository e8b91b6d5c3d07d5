internal import Base

/// Counts the files that a store has open, and refuses more than there may be.
final class OpenFiles: Sendable {
  private let count = Locked(0)
  private let limit: Int

  init(limit: Int) {
    self.limit = limit
  }

  /// How many are open.
  var current: Int { count.withLock { $0 } }

  /// Room for some files, until the lease goes.
  func lease(_ files: Int) throws(BlobError) -> Lease {
    let isGranted = count.withLock { count in
      guard count + files <= limit else { return false }
      count += files
      return true
    }
    guard isGranted else {
      throw BlobError(.overloaded, operation: "open", message: "\(limit) files are open already")
    }
    return Lease(owner: self, files: files)
  }

  final class Lease: Sendable {
    private let owner: OpenFiles
    private let files: Int

    fileprivate init(owner: OpenFiles, files: Int) {
      self.owner = owner
      self.files = files
    }

    deinit {
      owner.count.withLock { $0 -= files }
    }
  }
}
