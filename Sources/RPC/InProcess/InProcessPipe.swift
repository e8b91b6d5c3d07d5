/// One direction of an in-process stream: bytes queued by one end until the other end's window lets them through.
struct InProcessPipe {
  private var chunks: [[UInt8]] = []
  private var first = 0
  private var offset = 0
  private var window = RPCLimits.inProcessWindow
  /// Bytes that have not gone through.
  private(set) var queuedBytes = 0
  /// No bytes will be added.
  private(set) var isFinished = false

  /// Whether everything has gone through, and no more will come.
  var isExhausted: Bool { isFinished && queuedBytes == 0 }

  mutating func write(_ bytes: [UInt8]) {
    guard !isFinished, !bytes.isEmpty else { return }
    chunks.append(bytes)
    queuedBytes += bytes.count
  }

  mutating func finish() { isFinished = true }

  /// Drops what is queued.
  mutating func close() {
    chunks = []
    first = 0
    offset = 0
    queuedBytes = 0
    isFinished = true
  }

  mutating func open(window count: Int) { window += count }

  /// The next bytes that may go through, as the transport would cut them into frames.
  mutating func take() -> ArraySlice<UInt8>? {
    guard first < chunks.count, window > 0 else { return nil }
    let chunk = chunks[first]
    let count = min(chunk.count - offset, window, RPCLimits.inProcessFrame)
    let slice = chunk[offset..<(offset + count)]
    offset += count
    window -= count
    queuedBytes -= count
    if offset == chunk.count {
      first += 1
      offset = 0
      if first == chunks.count {
        chunks.removeAll(keepingCapacity: true)
        first = 0
      }
    }
    return slice
  }
}
