internal import Base
internal import Blobs
internal import Curl

/// Reads part of an object by requests for a few megabytes each, as the receiver asks for them: a slow one holds no
/// connection, and a broken one costs a piece. An object never changes, so pieces fit together.
final class S3Reader: BlobReader {
  static let unknownBlob = BlobError(.unknownBlob, operation: "read", message: "there is no such blob")
  static let badRange = BlobError(.badRange, operation: "read", message: "the range ends beyond the blob")

  private let name: String
  private let store: S3BlobStore
  private let state: Locked<State>

  private struct State {
    /// What has been asked for and not handed out.
    var piece: ArraySlice<UInt8> = []
    /// What has not been asked for.
    var rest: Range<UInt64>
    let end: UInt64
  }

  init(_ name: String, range: Range<UInt64>, store: S3BlobStore) {
    self.name = name
    self.store = store
    state = Locked(State(rest: range, end: range.upperBound))
  }

  func next() async throws -> [UInt8]? {
    if state.withLock({ $0.piece.isEmpty }) { try await fetch() }
    return state.withLock { state in
      let chunk = state.piece.prefix(store.limits.chunkBytes)
      state.piece = state.piece.dropFirst(chunk.count)
      return chunk.isEmpty ? nil : Array(chunk)
    }
  }

  /// Asks for the next piece, if there is one.
  func fetch() async throws {
    let (range, end) = state.withLock { state in
      let length = min(S3Limits.pieceBytes, state.rest.upperBound - state.rest.lowerBound)
      return (state.rest.lowerBound..<(state.rest.lowerBound + length), state.end)
    }
    if range.isEmpty { return }
    let count = Int(range.upperBound - range.lowerBound)
    let response = try await store.client.send(
      S3Client.Call(
        operation: "read", method: "GET", key: name,
        headers: [("range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)")],
        answerBytes: max(count, S3Limits.documentBytes), answers: [S3Client.noKey, S3Client.badRange]))
    switch response.status {
    case 404: throw Self.unknownBlob
    case 416: throw Self.badRange
    default: break
    }
    // `bytes FIRST-LAST/SIZE`
    let size = response.headers["content-range"]?.split(separator: "/").last.flatMap { UInt64($0) }
    guard response.status == 206, let size else {
      throw BlobError(.unavailable, operation: "read", message: "the answer is not a range, HTTP \(response.status)")
    }
    guard end <= size else { throw Self.badRange }
    guard response.body.count == count else {
      throw BlobError(.unavailable, operation: "read", message: "the answer is not the range that was asked for")
    }
    state.withLock { state in
      state.piece = response.body[...]
      state.rest = range.upperBound..<state.rest.upperBound
    }
  }
}
