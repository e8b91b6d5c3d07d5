internal import Base

/// Where a folder store keeps what:
///
///     blobs/3f/3f9a….UPLOAD    contents, by the first two digits of their hash
///     uploads/UPLOAD           what is being uploaded
///     uploads/UPLOAD.state     its last checkpoint
///     mark                     which database it belongs to
struct FolderLayout: Sendable {
  static let shards = 256

  private let root: String

  init(root: String) {
    self.root = root
  }

  var uploads: String { root + "/uploads" }
  var mark: String { root + "/mark" }

  func data(_ id: UploadID) -> String { "\(uploads)/\(id.text)" }
  func state(_ id: UploadID) -> String { "\(uploads)/\(id.text)\(Self.stateSuffix)" }
  func shard(_ number: Int) -> String { "\(root)/blobs/\(String(number, radix: 16, width: 2))" }
  func shard(of blob: BlobID) -> String { shard(Int(blob.bytes[0])) }
  func path(_ key: BlobKey) -> String { "\(shard(of: key.blob))/\(key.text)" }

  /// Makes all folders, so that none has to be made (and its name synchronized) while blobs are placed.
  func make() throws(FileError) {
    try DiskFolder.make(uploads)
    for number in 0..<Self.shards { try DiskFolder.make(shard(number)) }
    try synchronize()
  }

  /// Makes the names durable that are not contents.
  func synchronize() throws(FileError) {
    // Those that were there may have been made by a process that crashed before their names were on disk.
    try DiskFolder.synchronize(root + "/blobs")
    try DiskFolder.synchronize(root)
  }

  /// The upload that a file in `uploads` belongs to.
  static func upload(of name: String) -> UploadID? {
    UploadID(name.hasSuffix(stateSuffix) ? String(name.dropLast(stateSuffix.count)) : name)
  }

  private static let stateSuffix = ".state"
}
