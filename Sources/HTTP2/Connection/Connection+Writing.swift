internal import CLinux
internal import RPC

extension Connection {
  /// Has output written at the end of this tick.
  @inline(__always)
  func needsFlush() {
    guard !isFlushQueued else { return }
    isFlushQueued = true
    loop.flushLater(self)
  }

  /// Whether the next flush will probably send all that is queued since the last one, and more.
  var takesMore: Bool {
    pending.isEmpty && queuedSinceFlush < min(HTTP2Limits.queuedForOneWrite, session.sendWindow)
  }

  func flush() {
    writeOutput()
    settleHeld()
  }

  private func writeOutput() {
    isFlushQueued = false
    queuedSinceFlush = 0
    guard state == .open else { return }
    session.reportClosed()
    guard state == .open else { return }
    var mayHaveMore = true
    var writes = 0
    let output = loop.output
    output.takesSharedParts = channel.takesVectors
    while mayHaveMore {
      guard writePending() else { return }
      if writes == HTTP2Limits.writesPerTick {
        needsFlush()
        break
      }
      writes += 1
      output.removeAll()
      do {
        mayHaveMore = try session.produce(into: output, limit: loop.batchSize)
      } catch {
        return close(.connectionLost(error.description))
      }
      guard output.total > 0 else { break }
      guard output.shared.isEmpty ? write(output.bytes) : write(sharing: output) else { return }
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
        streamsSent = traffic.streamsStarted
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      }
    } catch {
      writingFailed(error)
      return false
    }
    if !rest.isEmpty { keep(PendingOutput(rest)) }
    return true
  }

  /// Writes octets that lie in several places. Returns false if the connection is closed meanwhile.
  private func write(sharing output: OutputBuffer) -> Bool {
    // The bodies must not be held until the next write.
    defer { output.removeAll() }
    var vectors = Vectors.make(output)
    var first = 0
    var written = 0
    do {
      while written < output.total {
        guard case .moved(var count) = try channel.write(&vectors, from: first) else { break }
        written += count
        streamsSent = traffic.streamsStarted
        while first < vectors.count, count >= vectors[first].iov_len {
          count -= vectors[first].iov_len
          first += 1
        }
        if count > 0 {
          vectors[first].iov_base = vectors[first].iov_base.map { $0 + count }
          vectors[first].iov_len -= count
        }
      }
    } catch {
      writingFailed(error)
      return false
    }
    if written < output.total { keep(PendingOutput(output, after: written)) }
    return true
  }

  /// Has the rest written when the socket takes it.
  private func keep(_ rest: PendingOutput) {
    pending = rest
    updateInterest()
    expectProgress()
  }

  /// Returns false if there is still something, or the connection is closed.
  private func writePending() -> Bool {
    guard !pending.isEmpty else { return true }
    let before = pending.taken
    let outcome = Result { () throws(ChannelError) in try pending.write(to: channel) }
    // Also of what an error cut short, and of streams that have begun since: what waits does not tell whose it is.
    if pending.taken > before { streamsSent = traffic.streamsStarted }
    if case .failure(let error) = outcome {
      writingFailed(error)
      return false
    }
    guard pending.isEmpty else { return false }
    sendDeadline?.cancel()
    sendDeadline = nil
    return true
  }

  /// A server that hung up may have answered before. What a client had said wants answers, which it does not take any more.
  private func writingFailed(_ error: ChannelError) {
    if role == .client { hearOut() }
    close(.connectionLost("\(error)"))
  }

  /// Gives the peer a period to take what waits, or to take it at the least rate.
  private func expectProgress() {
    // One that has failed has a shorter time.
    guard failure == nil else { return }
    let start = pending.taken
    sendDeadline?.cancel()
    sendDeadline = loop.schedule(after: limits.sendTimeout) {
      if self.pending.taken - start < self.limits.minTaken(in: self.limits.sendTimeout) {
        self.close(.connectionLost("the peer does not read"))
      } else {
        self.expectProgress()
      }
    }
  }

  func streamDrained(_ stream: HTTP2Stream) {
    drained.append(stream)
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
