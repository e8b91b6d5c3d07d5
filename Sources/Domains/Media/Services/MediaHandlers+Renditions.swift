import Base
import DomainKit
import MediaAPI
import ProtobufRuntime
import RPC
import Storage
import Streaming
import WellKnownTypes

/// What is made of blobs, and who gets it by its address.
extension MediaHandlers {
  func signUrl(_ request: SignUrlRequest, context: ServerContext) async throws -> SignUrlResponse {
    let caller = context.caller
    let id = try Identifier(request.blobID, kind: IDKind.blob, field: "blob_id")
    let lifetime = try request.lifetime.map { try self.lifetime($0) } ?? core.limits.linkLifetime
    let name = request.name.isEmpty ? BlobRoute.originalName : request.name
    let end = core.now + lifetime
    return try await core.kit.database.read { [core] reader in
      let sight = try core.see(id, by: caller, through: request.subjectID, in: reader)
      if name != BlobRoute.originalName, sight.row.state != .ready {
        throw KitError.wrongState(sight.row.state.protoName)
      }
      guard try core.served(sight, name: name, in: reader) != nil else { throw KitError.notFound("rendition") }
      var response = SignUrlResponse()
      response.path = core.signedPath(sight, for: caller?.user ?? MediaCore.nobody, name: name, until: end)
      response.expireTime = Timestamp(end)
      return response
    }
  }

  private func lifetime(_ wanted: ProtoDuration) throws(KitError) -> Duration {
    guard let lifetime = Duration(wanted), lifetime >= .seconds(1), lifetime <= core.limits.longestLink else {
      throw .invalid(FieldViolation(field: "lifetime", description: "not between a second and an hour"))
    }
    return lifetime
  }

  func listRenditions(_ request: ListRenditionsRequest, context: ServerContext) async throws -> ListRenditionsResponse {
    let caller = context.caller
    let id = try Identifier(request.blobID, kind: IDKind.blob, field: "blob_id")
    return try await core.kit.database.read { [core] reader in
      _ = try core.see(id, by: caller, through: request.subjectID, in: reader)
      var response = ListRenditionsResponse()
      response.renditions = try RenditionRow.list(of: id, in: reader).map(Rendition.init)
      return response
    }
  }

  func watchBlob(
    _ request: WatchBlobRequest, responses: ResponseWriter<WatchBlobResponse>, context: ServerContext
  ) async throws {
    let caller = try context.requireCaller()
    let id = try Identifier(request.blobID, kind: IDKind.blob, field: "blob_id")
    try await core.kit.watch(
      core.topic(ofBlob: id), resumeToken: request.resumeToken, responses, context,
      snapshot: { [core] reader in
        let sight = try core.see(id, by: caller, through: "", in: reader)
        guard sight.isOwner else { throw KitError.notFound("blob") }
        return try core.news(of: sight.row, in: reader)
      },
      isOver: { $0.isFinal },
      first: { news, token in
        var news = news
        news.resumeToken = token
        return news.isFinal ? .finish(news) : .send(news)
      },
      heartbeat: { WatchBlobResponse() },
      read: { event, reader in
        let isOwner = try reader.exists(
          "SELECT 1 FROM media_holdings WHERE blob_id = $1 AND user_id = $2", id, caller.user)
        guard isOwner else { throw KitError.notFound("blob") }
        return try event.shared { try WatchBlobResponse(decoding: $0.payload) }
      },
      step: { news, _ in
        guard let blob = news.blob, !blob.id.isEmpty else { throw KitError.notFound("blob") }
        return news.isFinal ? .finish(news) : .send(news)
      })
  }
}

extension WatchBlobResponse {
  /// Whether nothing will change any more.
  var isFinal: Bool { blob?.state == .ready || blob?.state == .failed }
}

extension MediaCore {
  /// A blob and what is made of it, without a token.
  func news(of row: BlobRow, in reader: any Reader) throws -> WatchBlobResponse {
    var news = WatchBlobResponse()
    news.blob = MediaAPI.Blob(row)
    news.renditions = try RenditionRow.list(of: row.id, in: reader).map(Rendition.init)
    return news
  }

  /// Tells those who watch a blob how it is now.
  func publish(_ row: BlobRow, in writer: any Writer) throws {
    var news = try news(of: row, in: writer)
    try kit.hub.publish(topic(ofBlob: row.id), in: writer) { _, token in
      news.resumeToken = token
      return news.encoded()
    }
    if news.isFinal { try kit.hub.end(topic(ofBlob: row.id), in: writer) }
  }

  /// Ends the watches of a blob that is removed.
  func publishRemoval(of id: Identifier, in writer: any Writer) throws {
    var news = WatchBlobResponse()
    news.blob = MediaAPI.Blob()
    try kit.hub.publish(topic(ofBlob: id), in: writer) { _, token in
      news.resumeToken = token
      return news.encoded()
    }
    try kit.hub.end(topic(ofBlob: id), in: writer)
  }
}
