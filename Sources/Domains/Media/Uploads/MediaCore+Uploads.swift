import Base
import Blobs
import DomainKit
import MediaAPI
import ProtobufRuntime
import Storage
import Streaming

/// The states of an upload. Its row is locked by whoever changes it.
extension MediaCore {
  private static let quota = DayQuota("media_quotas", by: ["user_id"], count: "uploads")

  func createUpload(
    kind: BlobKind, length: Int64?, hash: BlobID?, by user: Identifier, in writer: any Writer
  ) throws -> UploadRow {
    guard length ?? 0 <= limits.uploadBytes else {
      throw MediaError.uploadTooLarge(limit: limits.uploadBytes, field: "length")
    }
    try Self.quota.take(user, limit: limits.uploadsPerDay, at: now, in: writer)
    let row = UploadRow(
      id: kit.identifiers.next(), user: user, kind: kind, length: length, hash: hash,
      store: try kit.blobs.begin(in: writer), expiresAt: now + limits.uploadIdle)
    try row.insert(in: writer)
    return row
  }

  func cancelUpload(_ id: Identifier, by user: Identifier, in writer: any Writer) throws -> UploadRow {
    guard var row = try UploadRow.lock(id, in: writer), row.user == user else { throw KitError.notFound("upload") }
    if row.state == .cancelled { return row }
    guard row.isLive else { throw KitError.wrongState(row.state.protoName) }
    try end(&row, .cancelled, in: writer)
    return row
  }

  /// Takes an upload up for a new stream, which fences those before it. One that is complete already is returned as it
  /// is.
  func takeUp(_ id: Identifier, by user: Identifier, in writer: any Writer) throws -> UploadRow {
    guard var row = try UploadRow.lock(id, in: writer), row.user == user else { throw KitError.notFound("upload") }
    if row.state == .complete { return row }
    try requireLive(row)
    row.epoch += 1
    row.expiresAt = now + limits.uploadIdle
    try row.update(in: writer)
    try publish(row, in: writer)
    return row
  }

  /// The upload if the stream of this epoch may still write it, locked.
  /// - Throws: `MediaError.writerFenced`, or why nobody may.
  func requireWriter(_ id: Identifier, epoch: Int64, in writer: any Writer) throws -> UploadRow {
    guard let row = try UploadRow.lock(id, in: writer) else { throw KitError.notFound("upload") }
    guard row.epoch == epoch else { throw MediaError.writerFenced }
    try requireLive(row)
    return row
  }

  /// Notes that all before `offset` is durable.
  func advance(_ id: Identifier, epoch: Int64, to offset: Int64, in writer: any Writer) throws {
    var row = try requireWriter(id, epoch: epoch, in: writer)
    row.offset = max(row.offset, offset)
    if row.offset > 0 { row.state = .receiving }
    row.expiresAt = now + limits.uploadIdle
    try row.update(in: writer)
  }

  /// Makes the bytes a blob of the uploader's.
  func complete(_ id: Identifier, epoch: Int64, _ finished: FinishedUpload, in writer: any Writer) throws -> UploadRow {
    var row = try requireWriter(id, epoch: epoch, in: writer)
    row.offset = Int64(finished.size)
    row.blob = try adopt(finished, kind: row.kind, by: row.user, in: writer)
    try end(&row, .complete, in: writer)
    return row
  }

  /// Notes that all bytes came and are not what was declared.
  func fail(_ id: Identifier, epoch: Int64, in writer: any Writer) throws {
    var row = try requireWriter(id, epoch: epoch, in: writer)
    try end(&row, .errored, in: writer)
  }

  /// What has expired by the clock is so for everybody; the sweep comes later.
  func asSeen(_ row: UploadRow) -> UploadRow {
    var row = row
    if row.isLive, row.expiresAt <= now { row.state = .expired }
    return row
  }

  func end(_ row: inout UploadRow, _ state: UploadState, in writer: any Writer) throws {
    row.state = state
    row.expiresAt = now + limits.uploadKept
    try row.update(in: writer)
    if state != .complete { try kit.blobs.cancel(row.store, in: writer) }
    try publish(row, in: writer)
    try kit.hub.end(topic(ofUpload: row.id), in: writer)
  }

  /// Why nothing more may come.
  private func requireLive(_ row: UploadRow) throws {
    switch asSeen(row).state {
    case .waiting, .receiving: return
    case .expired: throw MediaError.uploadExpired
    default: throw KitError.wrongState(row.state.protoName)
    }
  }

  private func publish(_ row: UploadRow, in writer: any Writer) throws {
    try kit.hub.publish(topic(ofUpload: row.id), MediaAPI.Upload(row).encoded(), in: writer)
  }
}
