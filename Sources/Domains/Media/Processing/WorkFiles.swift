import Base
import Blobs

/// The files of one attempt at a job, which begin alike.
struct WorkFiles: Sendable {
  let folder: String
  let prefix: String

  var input: String { output("in") }

  func output(_ name: String) -> String { "\(folder)/\(prefix)\(name)" }

  /// Writes a content where programs find it.
  func write(_ content: BlobContent) async throws {
    let path = input
    let file = try await OSThread.run(name: "media") { try DiskFile(path, .create) }
    var offset: UInt64 = 0
    for try await piece in content {
      let place = offset
      try await OSThread.run(name: "media") { try file.write(piece, at: place) }
      offset += UInt64(piece.count)
    }
  }

  /// - Parameter name: within the folder.
  /// - Throws: `MediaFailure.tooCostly` if it is longer than the limit; `FileError`.
  func read(_ name: String, limit: Int) async throws -> [UInt8] {
    let path = "\(folder)/\(name)"
    return try await OSThread.run(name: "media") {
      let file = try DiskFile(path, .read)
      let size = try file.size()
      guard size <= UInt64(limit) else { throw MediaFailure.tooCostly }
      return try file.read(at: 0, count: Int(size))
    }
  }

  func remove() async {
    let (folder, prefix) = (folder, prefix)
    try? await OSThread.run(name: "media") {
      for name in try DiskFolder.names(folder) where name.hasPrefix(prefix) {
        try DiskFolder.remove("\(folder)/\(name)")
      }
    }
  }
}

/// What a film is coded with, in the words of RFC 6381.
enum FilmCodecs {
  /// - Parameter head: the first bytes of an MP4 file with H.264 and perhaps AAC.
  static func text(_ head: ArraySlice<UInt8>) -> String {
    func place(of box: String) -> Int? {
      let wanted = Array(box.utf8)
      return head.indices.dropLast(wanted.count).first { head[$0..<($0 + wanted.count)].elementsEqual(wanted) }
    }
    var codecs: [String] = []
    // The box's version, then profile, compatibility and level.
    if let place = place(of: "avcC"), place + 8 <= head.endIndex {
      let numbers = head[(place + 5)..<(place + 8)].map { String($0, radix: 16, width: 2) }
      codecs.append("avc1." + numbers.joined())
    }
    if place(of: "mp4a") != nil { codecs.append("mp4a.40.2") }
    return codecs.joined(separator: ",")
  }
}
