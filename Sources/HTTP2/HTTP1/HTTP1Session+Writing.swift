internal import RPC

extension HTTP1Session {
  func produce(into output: OutputBuffer, limit: Int) -> Bool {
    answerPing()
    repeat {
      readHeld()
      if output.total >= limit { return true }
    } while write(to: output, room: limit - output.total)
    output.append(lastWords)
    lastWords = []
    return false
  }

  /// The request that its handler has reset is over.
  func reportClosed() {
    if let code = exchange?.resetCode { abort(code, Self.refusal(for: code)) }
  }

  /// Takes the answer under way one step further.
  /// - Returns: whether there was a step to take.
  private func write(to output: OutputBuffer, room: Int) -> Bool {
    reportClosed()
    guard let exchange, let stream = exchange.stream else { return false }
    guard let response = exchange.response else {
      guard exchange.owesContinue else { return false }
      self.exchange?.owesContinue = false
      output.append(HTTP1Message.continueResponse)
      return true
    }
    guard let framing = exchange.framing else {
      let declared = HTTP1Message.declaredLength(response.headers)
      let framing = exchange.framing(of: response, stream, declared: declared)
      HTTP1Message.writeHead(
        response, framing, declared: declared, connectionCloses: isLast(exchange), to: output)
      self.exchange?.framing = framing
      return true
    }
    return writeBody(stream, framing, to: output, room: room)
  }

  private func writeBody(_ stream: HTTP2Stream, _ framing: HTTP1Exchange.Framing, to output: OutputBuffer, room: Int)
    -> Bool
  {
    let available = stream.outbound.count
    let count = min(available, room)
    switch framing {
    case .none:
      complete()
      return true
    case .length(let left):
      // A body that is not as long as it was said to be would shift everything after it.
      if available > left || stream.isFinished && available < left {
        abort(.internalError, Self.refusal(for: .internalError))
        return true
      }
      self.exchange?.framing = .length(left - count)
      if stream.take(count, into: output) { delegate.streamDrained(stream) }
    case .chunked:
      if count > 0 {
        output.append(Array("\(String(count, radix: 16))\r\n".utf8))
        if stream.take(count, into: output) { delegate.streamDrained(stream) }
        output.append(Array("\r\n".utf8))
      } else if stream.isFinished {
        let sendsTrailers = self.exchange?.sendsTrailers(of: stream) == true
        HTTP1Message.writeEnd(trailers: sendsTrailers ? stream.trailers : nil, to: output)
      }
    case .untilClose:
      if stream.take(count, into: output) { delegate.streamDrained(stream) }
    }
    if count > 0 { return true }
    if stream.isFinished { complete() }
    return stream.isFinished
  }

  /// Whether the connection ends with this answer. It does if the client was to wait for a 100 and does not get it:
  /// nobody knows then whether the body will follow (RFC 9110 §10.1.1).
  private func isLast(_ exchange: HTTP1Exchange) -> Bool {
    isDraining || isClosing || !exchange.request.keepsAlive || exchange.owesContinue
  }

  /// The answer is written.
  private func complete() {
    guard let exchange, let stream = exchange.stream else { return }
    self.exchange = nil
    if isLast(exchange) {
      endReading()
    } else if !exchange.isRequestComplete {
      discardable = limits.maxDiscardedBody
    }
    stream.sentEnd = true
    delegate.streamClosed(stream, code: ResetCode.noError.rawValue)
  }

  /// Ends the connection in the middle of a request. If its answer has not begun, it is `refusal`; otherwise the client
  /// sees that the answer is cut short.
  func abort(_ code: ResetCode, _ refusal: HTTP1Refusal) {
    endReading()
    if exchange?.framing == nil { lastWords = HTTP1Message.refusal(refusal) }
    guard let stream = exchange?.stream else { return }
    exchange = nil
    delegate.streamClosed(stream, code: code.rawValue)
  }

  /// What a client is told whose request a handler has reset.
  private static func refusal(for code: ResetCode) -> HTTP1Refusal {
    switch code {
    case .refusedStream: HTTP1Refusal(status: 503, reason: "the request was not processed")
    case .enhanceYourCalm: HTTP1Refusal(status: 429, reason: "too many requests")
    default: HTTP1Refusal(status: 500, reason: "the request was ended")
    }
  }
}
