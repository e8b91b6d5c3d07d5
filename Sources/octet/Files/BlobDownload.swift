import Base
import Cryptography
import Curl
import RPC

/// Fetches a blob, or something that was made of it, by a signed URL, and goes on where an earlier run was cut.
struct BlobDownload {
  let client: Client
  let blobID: String
  /// The thing through which the caller sees the blob; empty: the server looks.
  let subjectID: String
  /// Which of the blob's files; empty: the bytes as they were uploaded.
  let rendition: String
  let isQuiet: Bool

  /// What one request asks for: little at first, so that progress shows on a slow line, more on a fast one.
  private static let firstPiece = 256 << 10
  private static let largestPiece = 8 << 20
  private static let slowPiece = Duration.seconds(1)

  /// Where the bytes go.
  enum Sink {
    /// A file that takes its name when it is whole; nil: a name made of the blob's id.
    case file(String?, replaces: Bool)
    case standardOutput
  }

  /// What became of it.
  struct Result {
    let path: String?
    let length: Int64
    let sha256: [UInt8]
  }

  private struct Source {
    let http: CurlClient
    let base: String
    /// Of the signed URL.
    var path: String
  }

  func run(to sink: Sink) async throws -> Result {
    let blob = try await client.unary("\(BlobUpload.service)/GetBlob", request)
    let (base, http) = try client.target.http()
    var source = Source(http: http, base: base, path: try await sign())
    defer { http.close() }
    let isOriginal = rendition.isEmpty || rendition == "original"
    let expected = isOriginal ? blob.bytes("sha256") : []
    switch sink {
    case .standardOutput:
      var hash = SHA256()
      let length = try await fetch(&source, label: blobID, from: 0) { bytes, _ in
        hash.update(bytes)
        Output.write(bytes)
      }
      try check(hash.hash(), expected)
      return Result(path: nil, length: length, sha256: hash.hash())
    case .file(let given, let replaces):
      let name = given ?? defaultName(blob.text("content_type"), isOriginal: isOriginal)
      if !replaces, LocalPath.exists(name) { throw UsageError("\(name) exists; --force replaces it") }
      return try await fetch(&source, into: name, expected: expected)
    }
  }

  private var request: JSONText {
    var members: [(String, JSONText)] = [("blobId", .string(blobID))]
    if !subjectID.isEmpty { members.append(("subjectId", .string(subjectID))) }
    return .object(members)
  }

  private func sign() async throws -> String {
    guard case .object(var members) = request else { return "" }
    if !rendition.isEmpty { members.append(("name", .string(rendition))) }
    return try await client.unary("\(BlobUpload.service)/SignUrl", .object(members)).text("path")
  }

  private static let endings = [
    "image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/gif": "gif", "video/mp4": "mp4",
    "video/quicktime": "mov", "video/webm": "webm", "video/x-matroska": "mkv",
  ]

  private func defaultName(_ type: String, isOriginal: Bool) -> String {
    if !isOriginal { return "\(blobID)-\(rendition.replacing("/", with: "_"))" }
    return blobID + (Self.endings[type].map { ".\($0)" } ?? "")
  }

  // MARK: Files

  /// Writes beside `name`, checks, and renames.
  private func fetch(_ source: inout Source, into name: String, expected: [UInt8]) async throws -> Result {
    // The blob is in the name: what was fetched of another is never gone on with.
    let draft = name + ".\(blobID)\(rendition.isEmpty ? "" : "-\(rendition.replacing("/", with: "_"))").part"
    let file = try LocalFile(draft, .readWrite)
    guard try await file.lock() else { throw LocalError("\(draft): another run is writing it") }
    // Nothing tells whether what is there of a rendition is right still.
    if expected.isEmpty { try await file.truncate(to: 0) }
    let start = try await file.size()
    if start > 0, !isQuiet { Output.note("\(LocalPath.name(name)): going on at \(ProgressBar.size(start))") }
    let length = try await fetch(&source, label: LocalPath.name(name), from: start) { bytes, offset in
      try await file.write(bytes, at: offset)
    }
    let hash = try await Self.hash(file, length)
    do {
      try check(hash, expected)
    } catch {
      // What is wrong somewhere is of no use: the next run begins anew.
      _ = try? DiskFolder.remove(draft)
      throw error
    }
    do {
      try await file.synchronize()
      try DiskFolder.rename(draft, to: name)
    } catch let error as FileError {
      throw LocalError("\(name): \(error)")
    }
    return Result(path: name, length: length, sha256: hash)
  }

  private static func hash(_ file: LocalFile, _ length: Int64) async throws -> [UInt8] {
    var hash = SHA256()
    var offset: Int64 = 0
    while offset < length {
      let piece = try await file.read(at: offset, count: 1 << 20)
      guard !piece.isEmpty else { break }
      hash.update(piece)
      offset += Int64(piece.count)
    }
    return hash.hash()
  }

  private func check(_ hash: [UInt8], _ expected: [UInt8]) throws(RPCError) {
    guard expected.isEmpty || hash == expected else {
      throw RPCError(.dataLoss, "what came does not have the hash \(hexadecimal(expected)) of \(blobID)")
    }
  }

  // MARK: Pieces

  /// Fetches from `start` to the end.
  /// - Returns: the length of the whole.
  private func fetch(
    _ source: inout Source, label: String, from start: Int64, _ take: ([UInt8], Int64) async throws -> Void
  ) async throws -> Int64 {
    var offset = start
    var total: Int64?
    var piece = Self.firstPiece
    var patience = Patience()
    var progress: ProgressBar?
    let firstAsked = ContinuousClock.now
    defer { progress?.end() }
    while offset < total ?? .max {
      let began = ContinuousClock.now
      let answer: CurlResponse
      do {
        answer = try await get(&source, offset, piece)
        if answer.status == 429 || answer.status >= 500 {
          throw RPCError(.unavailable, "HTTP status \(answer.status)")
        }
      } catch {
        let failure = (error as? CurlFailure).map { RPCError(.unavailable, $0.message) } ?? (error as? RPCError)
        guard let failure, failure.code == .unavailable else { throw error }
        progress?.end()
        try await patience.wait(after: failure, isQuiet: isQuiet)
        continue
      }
      guard let range = answer.headers["content-range"], let length = Int64(range.split(separator: "/").last ?? "")
      else {
        throw RPCError(.internal, "the server gave no range of \(blobID) (HTTP status \(answer.status))")
      }
      // The last piece had come before the earlier run was cut.
      if answer.status == 416, offset == length { return length }
      if answer.status == 416, offset > length {
        throw RPCError(.dataLoss, "what is there of \(blobID) is longer than it; remove the .part file")
      }
      let end = offset + Int64(answer.body.count) - 1
      guard answer.status == 206, !answer.body.isEmpty, length == total ?? length,
        range == "bytes \(offset)-\(end)/\(length)"
      else {
        throw RPCError(.internal, "the server refused a range of \(blobID) (HTTP status \(answer.status))")
      }
      patience.reset()
      total = length
      try await take(answer.body, offset)
      offset += Int64(answer.body.count)
      if progress == nil {
        progress = ProgressBar(label, total: length, start: start, began: firstAsked, isQuiet: isQuiet)
      }
      progress?.show(offset)
      if ContinuousClock.now - began < Self.slowPiece { piece = min(piece * 2, Self.largestPiece) }
    }
    return offset
  }

  private func get(_ source: inout Source, _ offset: Int64, _ count: Int) async throws -> CurlResponse {
    for isSignedAnew in [false, true] {
      let answer = try await source.http.send(
        CurlRequest(
          url: source.base + source.path,
          .http(
            method: "GET", headers: [("Range", "bytes=\(offset)-\(offset + Int64(count) - 1)")], body: [], type: ""),
          answerBytes: count))
      // Links end; a blob that is gone is not signed for again.
      guard [403, 404].contains(answer.status), !isSignedAnew else { return answer }
      source.path = try await sign()
    }
    preconditionFailure("the second answer is returned")
  }
}
