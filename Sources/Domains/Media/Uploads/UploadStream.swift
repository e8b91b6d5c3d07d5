import Base
import Blobs
import DomainKit
import MediaAPI
import ProtobufRuntime
import RPC
import Storage
import Streaming

/// One stream that writes one upload: a task that reads the frames, one that writes and acknowledges, and one that hears
/// of a newer stream.
struct UploadStream: Sendable {
  let core: MediaCore
  let id: Identifier
  let caller: Caller
  let responses: ResponseWriter<UploadChunksResponse>
  let context: ServerContext

  func run(_ requests: RequestReader<UploadChunksRequest>) async throws {
    let row = try await core.kit.database.write { [core, id, caller] writer in
      _ = try core.kit.authority.confirm(caller, in: writer)
      return try core.takeUp(id, by: caller.user, in: writer)
    }
    if row.state == .complete { return try await send(.complete(MediaAPI.Upload(row))) }
    let (newest, _, events) = try await core.kit.hub.watch(core.topic(ofUpload: id)) { [id] reader in
      try UploadRow.find(id, in: reader)?.epoch
    }
    guard newest == row.epoch else { throw MediaError.writerFenced }
    let writer = UploadWriter(core: core, row: row, caller: caller, responses: responses)
    let heart = Heart(core.kit, context, responses.sink) { UploadChunksResponse() }
    defer { heart.stop() }
    heart.start()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await heed(events, epoch: row.epoch) }
      group.addTask { try await pump(requests, into: writer) }
      // The first to end ends the stream: all is done, the client is gone, or a newer stream has come.
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  /// Reads and writes side by side.
  private func pump(_ requests: RequestReader<UploadChunksRequest>, into writer: UploadWriter) async throws {
    guard try await writer.open() else { return }
    let queue = ChunkQueue(limit: core.limits.waitingChunks)
    do {
      try await withThrowingTaskGroup(of: Bool.self) { group in
        group.addTask {
          while let frame = try await requests.next() { try await queue.put(frame) }
          queue.end()
          return false
        }
        group.addTask {
          try await writer.write(from: queue)
          return true
        }
        defer { group.cancelAll() }
        while let isOver = try await group.next(), !isOver {}
      }
    } catch {
      await writer.close()
      throw error
    }
    await writer.close()
  }

  /// Waits until this stream may not write any more.
  private func heed(_ events: TopicSubscription, epoch: Int64) async throws {
    do {
      while true {
        let upload = try MediaAPI.Upload(decoding: try await events.next().payload)
        if upload.epoch > epoch { throw MediaError.writerFenced }
        switch upload.state {
        case .waiting, .receiving: continue
        // This stream's own doing, which it answers itself.
        case .complete, .errored: while true { _ = try await events.next() }
        case .expired: throw MediaError.uploadExpired
        default: throw KitError.wrongState(upload.state.protoName)
        }
      }
    } catch let error as TopicError {
      throw KitError(error)
    }
  }

  private func send(_ frame: UploadChunksResponse.Frame) async throws {
    var response = UploadChunksResponse()
    response.frame = frame
    try await responses.write(response)
  }
}
