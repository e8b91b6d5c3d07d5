import Base
import Cryptography
import MediaAPI
import RPC

/// Uploads of one file, again and again; the blob is given up after each. Measured is the way from opening the stream to
/// the upload's being complete, all of it durable.
struct UploadLoad: Load {
  private static let fileBytes = 64 << 20
  private static let chunkBytes = 1 << 20

  private let options: CallOptions
  private let media: MediaServiceClient
  private let chunks: [UploadChunk]
  private let sha256: [UInt8]

  init(handle: String, channel: RPCChannel) async throws {
    options = CallOptions(metadata: try await Account(handle: handle, channel: channel).options.metadata)
    media = MediaServiceClient(channel)
    let random = SystemRandomSource()
    var hash = SHA256()
    chunks = stride(from: 0, to: Self.fileBytes, by: Self.chunkBytes).map { offset in
      var chunk = UploadChunk()
      chunk.offset = Int64(offset)
      chunk.data = random.bytes(Self.chunkBytes)
      chunk.crc32c = CRC32C.checksum(chunk.data)
      hash.update(chunk.data)
      return chunk
    }
    sha256 = hash.hash()
  }

  func step(_ tally: inout Tally) async throws {
    var creation = CreateUploadRequest()
    creation.requestID = RequestID.make()
    creation.kind = .file
    creation.length = Int64(Self.fileBytes)
    creation.sha256 = sha256
    let upload = try await media.createUpload(creation, options: options)
    let blob = try await tally.time { try await send(upload.id) }
    tally.bytes += Self.fileBytes

    var deletion = DeleteBlobRequest()
    deletion.requestID = RequestID.make()
    deletion.blobID = blob
    _ = try await media.deleteBlob(deletion, options: options)
    tally.writes += 2
  }

  private func send(_ upload: String) async throws -> String {
    let call = media.uploadChunks(options: options)
    var open = UploadOpen()
    open.uploadID = upload
    try await call.requests.write(.init(.open(open)))
    let responses = call.responses
    guard case .opened(let opened) = try await responses.next()?.frame else {
      throw RPCError(.internal, "an upload does not open")
    }
    async let sent: Void = {
      for var chunk in chunks {
        chunk.epoch = opened.epoch
        try await call.requests.write(.init(.chunk(chunk)))
      }
    }()
    var blob: String?
    while let response = try await responses.next() {
      if case .complete(let complete) = response.frame { blob = complete.blobID }
    }
    try await sent
    guard let blob else { throw RPCError(.internal, "an upload ended without a blob") }
    return blob
  }
}

extension UploadChunksRequest {
  fileprivate init(_ frame: Frame) {
    self.init()
    self.frame = frame
  }
}
