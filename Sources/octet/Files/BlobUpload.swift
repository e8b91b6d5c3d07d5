import Base
import Cryptography
import ProtobufRuntime
import RPC

/// Brings a file to the server by octet.media.v1.MediaService, and goes on where an earlier run was cut.
///
/// What an earlier run began is kept beside the profiles, under a hash of the server, the user, the use and the
/// content: the same content goes on, whatever its path, and changed content begins anew.
struct BlobUpload {
  static let service = "octet.media.v1.MediaService"

  let client: Client
  /// What the bytes are used as: a value of BlobKind.
  let kind: String
  let isQuiet: Bool

  /// Bytes of a chunk: the protocol's greatest.
  private static let chunkBytes = 1 << 20

  private typealias Stream = BidirectionalCall<RawMessage, RawMessage>

  /// What is known of the file before the first byte goes out.
  private struct Content {
    let file: LocalFile
    let name: String
    let length: Int64
    let sha256: [UInt8]
  }

  /// Uploads the file at `path`.
  /// - Returns: the complete octet.media.v1.Upload.
  func run(_ path: String) async throws -> DynamicMessage {
    let content = try await read(path)
    let record = client.store.upload(key(content))
    let upload: DynamicMessage
    if let earlier = try await earlier(record) { upload = earlier } else { upload = try await create(content, record) }
    let offset = try Self.place(upload, content)
    if offset > 0, !isQuiet { Output.note("\(content.name): going on at \(ProgressBar.size(offset))") }
    let done = try await send(content, id: upload.text("id"), from: offset)
    try record.remove()
    return done
  }

  // MARK: Before

  private func read(_ path: String) async throws -> Content {
    let file = try LocalFile(path, .read)
    let name = LocalPath.name(path)
    let length = try await file.size()
    guard length > 0 else { throw LocalError("\(path): there is nothing in it") }
    var hash = SHA256()
    var progress = ProgressBar("\(name) (reading)", total: length, isQuiet: isQuiet)
    var offset: Int64 = 0
    while offset < length {
      let piece = try await file.read(at: offset, count: Self.chunkBytes)
      guard !piece.isEmpty else { throw LocalError("\(path) was cut while it was read") }
      hash.update(piece)
      offset += Int64(piece.count)
      progress.show(offset)
    }
    progress.end(clears: true)
    return Content(file: file, name: name, length: length, sha256: hash.hash())
  }

  private func key(_ content: Content) -> String {
    let user = client.profile?.user ?? ""
    let text = [client.address, user, kind, hexadecimal(content.sha256)].joined(separator: "\n")
    return hexadecimal(Hash.sha256(Array(text.utf8)))
  }

  /// What an earlier run began, if it can still be gone on with.
  private func earlier(_ record: StoredText) async throws -> DynamicMessage? {
    guard let id = try await record.load()?.split(separator: "\n").dropFirst().first else { return nil }
    do {
      let upload = try await client.unary("\(Self.service)/GetUpload", .object([("uploadId", .string(String(id)))]))
      let isOpen = ["UPLOAD_STATE_WAITING", "UPLOAD_STATE_RECEIVING"].contains(upload.enumName("state"))
      if isOpen { return upload }
    } catch let error as RPCError where error.code == .notFound {
      // It has expired, or belongs to another database by now.
    }
    try record.remove()
    return nil
  }

  private func create(_ content: Content, _ record: StoredText) async throws -> DynamicMessage {
    // Written down before it is used: a reply that is lost leaves no upload that nobody goes on with.
    let stored = try await record.load()?.split(separator: "\n").first.map(String.init)
    let requestID = stored ?? RequestID.make()
    try record.save(requestID + "\n")
    let upload = try await client.unary(
      "\(Self.service)/CreateUpload",
      .object([
        ("requestId", .string(requestID)), ("kind", .string(kind)), ("length", .string(String(content.length))),
        ("sha256", .string(Base64.standard.encode(content.sha256))),
      ]))
    try record.save(requestID + "\n" + upload.text("id") + "\n")
    return upload
  }

  // MARK: The bytes

  /// The place in the file that the server names.
  private static func place(_ message: DynamicMessage, _ content: Content) throws(RPCError) -> Int64 {
    let offset = message.integer("offset") ?? 0
    guard (0...content.length).contains(offset) else {
      throw RPCError(.internal, "the server names a place that is not in the file")
    }
    return offset
  }

  private func send(_ content: Content, id: String, from offset: Int64) async throws -> DynamicMessage {
    let (service, method) = try await client.method("\(Self.service)/UploadChunks")
    let frames = try UploadFrames(method, pool: client.pool)
    let descriptor = MethodDescriptor(service: service.fullName, name: method.name, kind: .bidirectional)
    var progress = ProgressBar(content.name, total: content.length, start: offset, isQuiet: isQuiet)
    defer { progress.end() }
    var acknowledged = offset
    var patience = Patience()
    progress.show(offset)
    while true {
      do {
        let call = client.channel.bidirectional(
          descriptor, sending: RawMessage.self, as: RawMessage.self, options: try await client.callOptions())
        return try await exchange(call, frames, content, id) { reached in
          if reached > acknowledged { patience.reset() }
          acknowledged = reached
          progress.show(reached)
        }
      } catch let error as RPCError where Self.isPassing(error) {
        progress.end()
        try await patience.wait(after: error, isQuiet: isQuiet)
      }
    }
  }

  /// Whether the same upload can succeed by another stream.
  private static func isPassing(_ error: RPCError) -> Bool {
    if error.code == .unavailable { return true }
    return ["OFFSET_MISMATCH", "CHUNK_CHECKSUM"].contains(ErrorReport.reason(of: error) ?? "")
  }

  /// One stream: where to go on, the chunks, what is durable, the end.
  private func exchange(
    _ call: Stream, _ frames: UploadFrames, _ content: Content, _ id: String, acknowledge: (Int64) -> Void
  ) async throws -> DynamicMessage {
    // A call that has ended tells why in its answer.
    try? await call.requests.write(RawMessage(frames.open(id)))
    var writer: Task<Void, Never>?
    defer {
      writer?.cancel()
      call.cancel()
    }
    let trouble = Locked<(any Error)?>(nil)
    do {
      while let message = try await call.responses.next() {
        guard let response = DynamicMessage(message.bytes, type: frames.responseType, pool: client.pool) else { break }
        if let upload = response.message("complete") {
          acknowledge(content.length)
          return upload
        }
        if let opened = response.message("opened"), writer == nil {
          let start = try Self.place(opened, content)
          acknowledge(start)
          let epoch = opened.integer("epoch") ?? 0
          writer = Task { [file = content.file, length = content.length] in
            do {
              try await Self.write(file, from: start, to: length, epoch, frames, call)
            } catch is RPCError {
              // The call is over; its answer says why.
            } catch {
              trouble.withLock { $0 = error }
              call.cancel()
            }
          }
        } else if let ack = response.message("ack") {
          acknowledge(try Self.place(ack, content))
        }
      }
    } catch {
      throw trouble.withLock { $0 } ?? error
    }
    throw RPCError(.unavailable, "the server ended the upload's stream")
  }

  private static func write(
    _ file: LocalFile, from start: Int64, to length: Int64, _ epoch: Int64, _ frames: UploadFrames, _ call: Stream
  ) async throws {
    var offset = start
    while offset < length, !Task.isCancelled {
      let data = try await file.read(at: offset, count: Int(min(Int64(chunkBytes), length - offset)))
      guard !data.isEmpty else { throw LocalError("the file became shorter while it was sent") }
      try await call.requests.write(RawMessage(frames.chunk(data, at: offset, epoch: epoch)))
      offset += Int64(data.count)
    }
  }
}

/// Digits of octets.
func hexadecimal(_ bytes: [UInt8]) -> String { bytes.map { String($0, radix: 16, width: 2) }.joined() }

/// The frames that a client of MediaService.UploadChunks sends, as the server's descriptors number their fields.
struct UploadFrames: Sendable {
  let responseType: String
  private let open: FieldDescriptor
  private let uploadID: FieldDescriptor
  private let chunk: FieldDescriptor
  private let epoch: FieldDescriptor
  private let offset: FieldDescriptor
  private let data: FieldDescriptor
  private let crc32c: FieldDescriptor

  init(_ method: MethodDefinition, pool: DescriptorPool) throws(RPCError) {
    guard let request = pool.message(method.inputType), let open = request.field(named: "open"),
      let chunk = request.field(named: "chunk"), let uploadID = pool.messageType(of: open)?.field(named: "upload_id"),
      let chunkType = pool.messageType(of: chunk), let epoch = chunkType.field(named: "epoch"),
      let offset = chunkType.field(named: "offset"), let data = chunkType.field(named: "data"),
      let crc32c = chunkType.field(named: "crc32c")
    else { throw RPCError(.internal, "the server's UploadChunks is not the one that this program knows") }
    responseType = method.outputType
    (self.open, self.uploadID, self.chunk) = (open, uploadID, chunk)
    (self.epoch, self.offset, self.data, self.crc32c) = (epoch, offset, data, crc32c)
  }

  /// The first frame.
  func open(_ id: String) -> [UInt8] {
    var inner = WireWriter()
    inner.tag(uploadID.number, .lengthDelimited)
    inner.lengthDelimited(Array(id.utf8))
    return frame(open, inner)
  }

  func chunk(_ bytes: [UInt8], at place: Int64, epoch number: Int64) -> [UInt8] {
    var inner = WireWriter()
    inner.tag(epoch.number, .varint)
    inner.varint(UInt64(bitPattern: number))
    inner.tag(offset.number, .varint)
    inner.varint(UInt64(bitPattern: place))
    inner.tag(data.number, .lengthDelimited)
    inner.lengthDelimited(bytes)
    inner.tag(crc32c.number, .fixed32)
    inner.fixed32(CRC32C.checksum(bytes))
    return frame(chunk, inner)
  }

  private func frame(_ field: FieldDescriptor, _ inner: WireWriter) -> [UInt8] {
    var outer = WireWriter()
    outer.tag(field.number, .lengthDelimited)
    outer.lengthDelimited(inner.bytes)
    return outer.bytes
  }
}
