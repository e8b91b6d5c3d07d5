import Base
import Blobs
import DomainKit
import Storage

/// One file of an archive.
struct ExportFile: Sendable {
  enum Content: Sendable {
    /// Records, which lie in the file of all records from this offset on.
    case records(at: UInt64)
    case blob(BlobInfo)
  }

  let name: String
  /// In bytes.
  let size: UInt64
  let content: Content

  /// Writes the records of all domains to `file`, and says what the archive consists of.
  static func collect(
    of user: Identifier, _ all: [any PersonalRecords], into file: DiskFile, _ reader: any Reader
  ) throws -> [ExportFile] {
    var lines = LineBuffer(file: file)
    var files: [ExportFile] = []
    var blobs: [BlobID: BlobInfo] = [:]
    for records in all {
      let start = lines.offset
      try records.export(user, in: reader) { kind, json in
        try lines.append("{\"kind\":\"\(kind)\",\"record\":\(json)}\n")
      }
      files.append(
        ExportFile(name: "\(records.name).jsonl", size: lines.offset - start, content: .records(at: start)))
      for info in try records.blobs(of: user, in: reader) { blobs[info.id] = info }
    }
    try lines.flush()
    return files
      + blobs.values.sorted { $0.id < $1.id }.map { info in
        ExportFile(name: "blobs/\(info.id.text)", size: info.size, content: .blob(info))
      }
  }
}

/// Writes lines to a file, many at a time.
private struct LineBuffer {
  private static let capacity = 1 << 18

  private let file: DiskFile
  private var written: UInt64 = 0
  private var waiting: [UInt8] = []

  init(file: DiskFile) { self.file = file }

  /// Where the next line begins.
  var offset: UInt64 { written + UInt64(waiting.count) }

  mutating func append(_ line: String) throws(FileError) {
    waiting += line.utf8
    if waiting.count >= Self.capacity { try flush() }
  }

  mutating func flush() throws(FileError) {
    try file.write(waiting, at: written)
    written += UInt64(waiting.count)
    waiting = []
  }
}
