import Base
import Cryptography
import MediaAPI
import RPC
import Refusals

@testable import Media

/// A client that uploads.
struct Sender: Sendable {
  let client: MediaServiceClient

  init(_ world: MediaWorld, _ user: Identifier) {
    client = world.client(user)
  }

  /// Begins an upload.
  /// - Parameter isOpen: whether length and hash are left to the end marker.
  func create(
    _ content: [UInt8], _ kind: BlobKind = .file, isOpen: Bool = false, hash: [UInt8]? = nil
  ) async throws -> MediaAPI.Upload {
    var request = CreateUploadRequest()
    (request.requestID, request.kind) = (newRequestID(), kind)
    if !isOpen { (request.length, request.sha256) = (Int64(content.count), hash ?? Hash.sha256(content)) }
    return try await client.createUpload(request)
  }

  func get(_ id: String) async throws -> MediaAPI.Upload {
    var request = GetUploadRequest()
    request.uploadID = id
    return try await client.getUpload(request)
  }

  func cancel(_ id: String, requestID: String = newRequestID()) async throws -> MediaAPI.Upload {
    var request = CancelUploadRequest()
    (request.requestID, request.uploadID) = (requestID, id)
    return try await client.cancelUpload(request)
  }

  /// Uploads in one go.
  @discardableResult
  func send(_ content: [UInt8], _ kind: BlobKind = .file) async throws -> String {
    let stream = try await open(try await create(content, kind).id)
    for start in stride(from: 0, to: content.count, by: 1 << 20) {
      try await stream.send(Array(content[start..<min(start + (1 << 20), content.count)]), at: Int64(start))
    }
    return try await stream.completed().blobID
  }

  /// Opens a stream, and waits for what it is told.
  func open(_ id: String) async throws -> SendingStream {
    let call = client.uploadChunks()
    var open = UploadOpen()
    open.uploadID = id
    var request = UploadChunksRequest()
    request.frame = .open(open)
    try await call.requests.write(request)
    guard case .opened(let opened) = try await call.responses.next()?.frame else {
      throw RPCError(.internal, "the stream was not opened")
    }
    return SendingStream(call: call, opened: opened)
  }
}

/// An upload's stream that has been opened.
struct SendingStream: Sendable {
  let call: BidirectionalCall<UploadChunksRequest, UploadChunksResponse>
  let opened: UploadOpened

  func send(
    _ bytes: [UInt8], at offset: Int64? = nil, epoch: Int64? = nil, isDamaged: Bool = false
  ) async throws {
    var chunk = UploadChunk()
    (chunk.epoch, chunk.offset) = (epoch ?? opened.epoch, offset ?? opened.offset)
    (chunk.data, chunk.crc32c) = (bytes, CRC32C.checksum(bytes))
    if isDamaged { chunk.data[0] ^= 1 }
    var request = UploadChunksRequest()
    request.frame = .chunk(chunk)
    try await call.requests.write(request)
  }

  func end(_ content: [UInt8], length: Int64? = nil) async throws {
    var end = UploadEnd()
    (end.length, end.sha256) = (length ?? Int64(content.count), Hash.sha256(content))
    var request = UploadChunksRequest()
    request.frame = .end(end)
    try await call.requests.write(request)
  }

  /// Waits until all before an offset is acknowledged.
  func acknowledged(_ offset: Int64) async throws {
    while case let frame? = try await call.responses.next()?.frame {
      if case .ack(let ack) = frame, ack.offset >= offset { return }
    }
    throw RPCError(.internal, "the stream ended before \(offset) was acknowledged")
  }

  /// Waits for the end, which must be a complete upload.
  func completed() async throws -> MediaAPI.Upload {
    while let response = try await call.responses.next() {
      if case .complete(let upload) = response.frame { return upload }
    }
    throw RPCError(.internal, "the stream ended before the upload was complete")
  }
}
