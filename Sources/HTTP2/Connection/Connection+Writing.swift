internal import RPC

extension Connection {
  /// Has output written at the end of this tick.
  @inline(__always)
  func needsFlush() {
    guard !isFlushQueued else { return }
    isFlushQueued = true
    loop.flushLater(self)
  }

  func flush() {
    isFlushQueued = false
    guard state == .open else { return }
    session.reportClosed()
    guard state == .open else { return }
    var mayHaveMore = true
    var writes = 0
    let output = loop.output
    while mayHaveMore {
      guard writePending() else { return }
      if writes == HTTP2Limits.writesPerTick {
        needsFlush()
        break
      }
      writes += 1
      output.removeAll()
      do {
        mayHaveMore = try session.produce(into: output, limit: HTTP2Limits.outputBatchSize)
      } catch {
        return close(.connectionLost(error.description))
      }
      guard output.count > 0 else { break }
      guard write(output.bytes) else { return }
    }
    if failure == nil { followDemand() }
    updateInterest()
    callDrained()
    if failure != nil || session.isFinished, pending.isEmpty { finish() }
  }

  /// Returns false if the connection is closed meanwhile.
  private func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var rest = bytes
    do {
      while !rest.isEmpty, case .moved(let count) = try channel.write(rest) {
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      }
    } catch {
      close(.connectionLost("\(error)"))
      return false
    }
    if !rest.isEmpty {
      pending = [UInt8](rest)
      pendingOffset = 0
      updateInterest()
      expectProgress()
    }
    return true
  }

  /// Returns false if there is still something, or the connection is closed.
  private func writePending() -> Bool {
    guard !pending.isEmpty else { return true }
    do {
      while pendingOffset < pending.count {
        let outcome = try pending.withUnsafeBytes { bytes throws(ChannelError) in
          try channel.write(UnsafeRawBufferPointer(rebasing: bytes[pendingOffset...]))
        }
        guard case .moved(let count) = outcome else { return false }
        pendingOffset += count
      }
    } catch {
      close(.connectionLost("\(error)"))
      return false
    }
    pending = []
    sendDeadline?.cancel()
    sendDeadline = nil
    return true
  }

  /// Gives the peer a period to take what waits, or to take it at the least rate.
  private func expectProgress() {
    // One that has failed has a shorter time.
    guard failure == nil else { return }
    let start = pendingOffset
    sendDeadline?.cancel()
    sendDeadline = loop.schedule(after: limits.sendTimeout) {
      if self.pendingOffset - start < self.limits.minTaken(in: self.limits.sendTimeout) {
        self.close(.connectionLost("the peer does not read"))
      } else {
        self.expectProgress()
      }
    }
  }

  private func callDrained() {
    guard !drained.isEmpty else { return }
    let batch = drained
    drained.removeAll(keepingCapacity: true)
    for stream in batch {
      stream.isDrainPending = false
      if !stream.isClosed { stream.drained() }
    }
  }
}
