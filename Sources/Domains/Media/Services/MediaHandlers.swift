import Base
import Blobs
import DomainKit
import MediaAPI
import ProtobufRuntime
import RPC
import Storage

/// octet.media.v1.MediaService.
struct MediaHandlers: MediaService {
  let core: MediaCore

  func createUpload(_ request: CreateUploadRequest, context: ServerContext) async throws -> MediaAPI.Upload {
    let user = try context.requireCaller().user
    return try await core.kit.mutate(request, context) { [core] writer in
      MediaAPI.Upload(
        try core.createUpload(
          kind: request.kind, length: request.length == 0 ? nil : request.length, hash: BlobID(bytes: request.sha256),
          by: user, in: writer))
    }
  }

  func getUpload(_ request: GetUploadRequest, context: ServerContext) async throws -> MediaAPI.Upload {
    let user = try context.requireCaller().user
    let id = try Identifier(request.uploadID, kind: IDKind.upload, field: "upload_id")
    return try await core.kit.database.read { [core] reader in
      MediaAPI.Upload(core.asSeen(try UploadRow.require(id, of: user, in: reader)))
    }
  }

  func cancelUpload(_ request: CancelUploadRequest, context: ServerContext) async throws -> MediaAPI.Upload {
    let user = try context.requireCaller().user
    let id = try Identifier(request.uploadID, kind: IDKind.upload, field: "upload_id")
    return try await core.kit.mutate(request, context) { [core] writer in
      MediaAPI.Upload(try core.cancelUpload(id, by: user, in: writer))
    }
  }

  func uploadChunks(
    _ requests: RequestReader<UploadChunksRequest>, responses: ResponseWriter<UploadChunksResponse>,
    context: ServerContext
  ) async throws {
    let caller = try context.requireCaller()
    guard case .open(let open) = try await requests.next()?.frame else {
      throw KitError.invalid(FieldViolation(field: "open", description: "the first frame must be open"))
    }
    let id = try Identifier(open.uploadID, kind: IDKind.upload, field: "open.upload_id")
    try await UploadStream(core: core, id: id, caller: caller, responses: responses, context: context).run(requests)
  }

  func getBlob(_ request: GetBlobRequest, context: ServerContext) async throws -> MediaAPI.Blob {
    let caller = context.caller
    let id = try Identifier(request.blobID, kind: IDKind.blob, field: "blob_id")
    return try await core.kit.database.read { [core] reader in
      MediaAPI.Blob(try core.see(id, by: caller, through: request.subjectID, in: reader).row)
    }
  }

  func readBlob(
    _ request: ReadBlobRequest, responses: ResponseWriter<ReadBlobResponse>, context: ServerContext
  ) async throws {
    let caller = context.caller
    let id = try Identifier(request.blobID, kind: IDKind.blob, field: "blob_id")
    var lastSight = LastSight(core)
    let info = try await core.kit.database.read { [core] reader in
      let sight = try core.see(id, by: caller, through: request.subjectID, in: reader)
      return try core.bytes(sight, profile: request.profile, in: reader)
    }
    let size = Int64(info.size)
    guard request.offset < size else { throw MediaError.badRange(length: size) }
    let rest = size - request.offset
    let end = request.offset + (request.length == 0 ? rest : min(request.length, rest))
    var response = ReadBlobResponse()
    response.totalLength = size
    response.offset = request.offset
    for try await piece in try await core.open(info, request.offset..<end) {
      response.data = piece
      try await core.kit.judgeAgain(context)
      if lastSight.isOld() {
        _ = try await core.kit.database.read { [core] in
          try core.see(id, by: caller, through: request.subjectID, in: $0)
        }
      }
      try await responses.write(response)
      response.totalLength = 0
      response.offset += Int64(piece.count)
    }
  }

  func deleteBlob(_ request: DeleteBlobRequest, context: ServerContext) async throws -> DeleteBlobResponse {
    let user = try context.requireCaller().user
    let id = try Identifier(request.blobID, kind: IDKind.blob, field: "blob_id")
    return try await core.kit.mutate(request, context) { [core] writer in
      _ = try core.lockShares(id, in: writer)
      let isInUse = try writer.exists(
        "SELECT 1 FROM media_uses WHERE blob_id = $1 AND user_id = $2 LIMIT 1", id, user)
      if isInUse { throw MediaError.blobInUse }
      guard try core.removeHolding(id, of: user, in: writer) else { throw KitError.notFound("blob") }
      return DeleteBlobResponse()
    }
  }
}
