import Base
import Blobs
import DomainKit
import MediaAPI
import ProtobufRuntime
import RPC
import Storage

/// Writes the bytes of one stream, in this order for each chunk: epoch, offset, checksum, append; and for all that came
/// meanwhile: synchronize, advance the offset in the row, acknowledge. One task uses it.
final class UploadWriter: Sendable {
  private struct State {
    var upload: Blobs.Upload?
    /// What the client has been told is durable.
    var acknowledged: Int64 = 0
    var length: Int64?
    var hash: BlobID?
  }

  private let core: MediaCore
  private let row: UploadRow
  private let caller: Caller
  private let responses: ResponseWriter<UploadChunksResponse>
  private let state: Locked<State>

  init(core: MediaCore, row: UploadRow, caller: Caller, responses: ResponseWriter<UploadChunksResponse>) {
    self.core = core
    self.row = row
    self.caller = caller
    self.responses = responses
    state = Locked(State(length: row.length, hash: row.hash))
  }

  /// Opens the bytes where they are durable, and tells the client.
  /// - Returns: whether there is something to write still.
  func open() async throws -> Bool {
    switch try await takeOver() {
    case .finished(let finished):
      try await complete(finished)
      return false
    case .open(let upload):
      let offset = Int64(upload.offset)
      state.withLock { state in
        state.upload = upload
        state.acknowledged = offset
      }
      // What was made durable before a crash and not acknowledged.
      if offset > row.offset { try await advance(to: offset) }
      var opened = UploadOpened()
      (opened.epoch, opened.offset) = (row.epoch, offset)
      try await send(.opened(opened))
      return try await !finishIfWhole(upload)
    }
  }

  /// Writes what the queue brings until the upload is complete or the client has nothing more to say.
  func write(from queue: ChunkQueue) async throws {
    guard let upload = state.withLock({ $0.upload }) else { preconditionFailure("written before it was opened") }
    while let frames = try await queue.takeAll() {
      do {
        for frame in frames where try await take(frame, upload) { return }
      } catch {
        // What came before the bad frame is good.
        try? await acknowledge(upload)
        throw error
      }
      if queue.isEmpty { try await acknowledge(upload) }
    }
    try await acknowledge(upload)
  }

  func close() async {
    await state.withLock { $0.upload }?.close()
  }

  /// - Returns: whether the upload is complete.
  private func take(_ frame: UploadChunksRequest, _ upload: Blobs.Upload) async throws -> Bool {
    switch frame.frame {
    case nil: return false
    case .open: throw KitError.invalid(FieldViolation(field: "open", description: "a stream has one upload"))
    case .chunk(let chunk):
      try await append(chunk, upload)
      return try await finishIfWhole(upload)
    case .end(let end):
      try await finish(end, upload)
      return true
    }
  }

  private func append(_ chunk: UploadChunk, _ upload: Blobs.Upload) async throws {
    let offset = Int64(upload.offset)
    guard chunk.epoch == row.epoch else { throw MediaError.writerFenced }
    guard chunk.offset == offset else { throw MediaError.offsetMismatch(offset: offset) }
    guard CRC32C.checksum(chunk.data) == chunk.crc32c else { throw MediaError.chunkChecksum }
    let limit = row.length ?? core.limits.uploadBytes
    guard offset + Int64(chunk.data.count) <= limit else {
      throw MediaError.uploadTooLarge(limit: limit, field: "chunk.data")
    }
    try await translated { try await upload.append(chunk.data) }
    let unacknowledged = offset + Int64(chunk.data.count) - state.withLock { $0.acknowledged }
    if unacknowledged >= core.limits.unacknowledgedBytes { try await acknowledge(upload) }
  }

  private func acknowledge(_ upload: Blobs.Upload) async throws {
    let before = state.withLock { $0.acknowledged }
    guard Int64(upload.offset) > before else { return }
    let durable = Int64(try await translated { try await upload.checkpoint() })
    guard durable > before else { return }
    try await advance(to: durable)
    state.withLock { $0.acknowledged = durable }
    var ack = UploadAck()
    ack.offset = durable
    try await send(.ack(ack))
  }

  private func advance(to offset: Int64) async throws {
    try await core.kit.database.write { [core, row, caller] writer in
      _ = try core.kit.authority.confirm(caller, in: writer)
      try core.advance(row.id, epoch: row.epoch, to: offset, in: writer)
    }
  }

  private func finish(_ end: UploadEnd, _ upload: Blobs.Upload) async throws {
    let offset = Int64(upload.offset)
    guard end.length == offset, row.length ?? offset == offset else { throw MediaError.offsetMismatch(offset: offset) }
    guard offset > 0 else { throw KitError.invalid(FieldViolation(field: "end.length", description: "is 0")) }
    let said = BlobID(bytes: end.sha256)
    guard let hash = said ?? row.hash else {
      throw KitError.invalid(FieldViolation(field: "end.sha256", description: "needed, as none was declared"))
    }
    guard row.hash ?? hash == hash else { try await refuse() }
    try await finish(upload, hash)
  }

  /// Ends an upload whose length and hash were declared, with its last byte.
  private func finishIfWhole(_ upload: Blobs.Upload) async throws -> Bool {
    guard let length = row.length, let hash = row.hash, Int64(upload.offset) == length else { return false }
    try await finish(upload, hash)
    return true
  }

  private func finish(_ upload: Blobs.Upload, _ hash: BlobID) async throws {
    do {
      let finished = try await translated { [core, row] in
        try await upload.finish(
          expecting: BlobExpectation(id: hash),
          confirm: { _ = try core.requireWriter(row.id, epoch: row.epoch, in: $0) },
          refused: { try core.fail(row.id, epoch: row.epoch, in: $0) })
      }
      try await complete(finished)
    } catch let error as BlobError where error.code == .mismatch {
      throw MediaError.contentHash
    }
  }

  private func refuse() async throws -> Never {
    try await core.kit.database.write { [core, row] writer in try core.fail(row.id, epoch: row.epoch, in: writer) }
    throw MediaError.contentHash
  }

  private func complete(_ finished: FinishedUpload) async throws {
    let done = try await core.kit.database.write { [core, row, caller] writer in
      _ = try core.kit.authority.confirm(caller, in: writer)
      return try core.complete(row.id, epoch: row.epoch, finished, in: writer)
    }
    try await send(.complete(MediaAPI.Upload(done)))
  }

  /// Opens the upload, perhaps after waiting for another process that has it open to hear of this stream.
  private func takeOver() async throws -> ResumedUpload {
    for attempt in 1... {
      do {
        return try await core.kit.blobs.resume(row.store)
      } catch let error as BlobError where error.code == .busy && attempt < core.limits.takeOverAttempts {
        try await Task.sleep(for: core.limits.takeOverPause)
      } catch let error as BlobError {
        throw Self.translation(error) ?? error
      }
    }
    preconditionFailure("the loop ends by returning or throwing")
  }

  private func translated<Result>(_ body: () async throws -> Result) async throws -> Result {
    do {
      return try await body()
    } catch let error as BlobError {
      throw Self.translation(error) ?? error
    }
  }

  /// What a client is told; nil for what is nobody's doing but the server's.
  private static func translation(_ error: BlobError) -> (any Error)? {
    switch error.code {
    case .superseded: MediaError.writerFenced
    case .unknownUpload: MediaError.uploadExpired
    case .busy, .overloaded, .unavailable, .diskFull, .closed: KitError.overloaded
    default: nil
    }
  }

  private func send(_ frame: UploadChunksResponse.Frame) async throws {
    var response = UploadChunksResponse()
    response.frame = frame
    try await responses.write(response)
  }
}
