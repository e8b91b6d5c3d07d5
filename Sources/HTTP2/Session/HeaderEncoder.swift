internal import CNghttp2
internal import RPC

/// HPACK's encoder: nghttp2's, made when the first header block is sent, behind a memory of the last blocks.
///
/// The heads and trailers of most answers are the same. A block that does not change the dynamic table stays right
/// until another one does, and is sent again without being encoded.
struct HeaderEncoder: ~Copyable {
  struct Remembered {
    var status: Int
    var fields: [UInt8]
    var block: [UInt8]
  }

  private let deflater: OpaquePointer
  /// Where the tables are.
  private let memory: SessionMemory
  private(set) var remembered: [Remembered] = []

  init(memory: SessionMemory) {
    self.memory = memory
    var made: OpaquePointer?
    let result = nghttp2_hd_deflate_new2(&made, HTTP2Protocol.defaultHeaderTableSize, memory.hooks)
    precondition(result == 0, "nghttp2_hd_deflate_new2: out of memory")
    // Not nil, as the call succeeded.
    deflater = made!
  }

  deinit {
    nghttp2_hd_deflate_del(deflater)
  }

  /// Follows the peer's SETTINGS_HEADER_TABLE_SIZE; more than the default is not used.
  mutating func limitTable(to size: Int) {
    let result = nghttp2_hd_deflate_change_table_size(deflater, min(size, HTTP2Protocol.defaultHeaderTableSize))
    precondition(result == 0, "nghttp2_hd_deflate_change_table_size: out of memory")
    // The next block must begin with the change.
    remembered.removeAll()
  }

  /// Appends the block of a response's head, or of trailers if `status` is 0.
  /// - Returns: its length.
  @inline(__always)
  mutating func encode(status: Int, _ headers: HeaderList, into output: OutputBuffer) -> Int {
    // By its place: a copy would count the references of both arrays.
    for place in remembered.indices
    where remembered[place].status == status && remembered[place].fields == headers.octets {
      remembered[place].block.withUnsafeBytes { output.append($0.baseAddress.unsafelyUnwrapped, $0.count) }
      return remembered[place].block.count
    }
    return encodeAnew(status: status, headers, into: output)
  }

  private mutating func encodeAnew(status: Int, _ headers: HeaderList, into output: OutputBuffer) -> Int {
    let start = output.count
    let length =
      status == 0
      ? NameValues.with(headers) { deflate($0, $1, into: output) }
      : NameValues.with(status: status, headers) { deflate($0, $1, into: output) }
    let block = UnsafeRawBufferPointer(rebasing: output.bytes[start...])
    if !HeaderDecoder.leavesTable(block) {
      remembered.removeAll(keepingCapacity: true)
    } else if remembered.count < HTTP2Limits.rememberedBlocks, length <= HTTP2Limits.rememberedBlockSize {
      remembered.append(Remembered(status: status, fields: headers.octets, block: [UInt8](block)))
    }
    return length
  }

  /// Appends the block of a request's head.
  /// - Returns: its length.
  mutating func encode(_ head: RequestHead, into output: OutputBuffer) -> Int {
    let pseudo: [(StaticString, String)] = [
      (":method", head.method), (":scheme", head.scheme), (":authority", head.authority), (":path", head.path),
    ]
    return NameValues.with(pseudo: pseudo, head.headers) { deflate($0, $1, into: output) }
  }

  private func deflate(_ fields: UnsafePointer<nghttp2_nv>?, _ count: Int, into output: OutputBuffer) -> Int {
    let bound = nghttp2_hd_deflate_bound(deflater, fields, count)
    let room = output.reserve(bound)
    let length = nghttp2_hd_deflate_hd(
      deflater, room.assumingMemoryBound(to: UInt8.self), bound, fields, count)
    // Fails only for want of memory or of room, and the bound is enough.
    precondition(length >= 0, "nghttp2_hd_deflate_hd: \(length)")
    output.commit(length)
    return length
  }
}
