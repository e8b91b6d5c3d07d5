internal import Base
internal import RPC

/// One call as the logs tell it. What comes from a peer is cut to a bounded length; nothing in it is secret.
struct CallLogEntry: Sendable {
  enum Kind: Sendable {
    /// Every call has one.
    case access
    /// A call that took too long has one as well.
    case slow(SlowCall)
  }

  var kind: Kind
  var method: String
  var status: StatusCode
  var record: CallRecord
  var peer: String
  var user: String?
  var trace: TraceContext?
  /// What the client calls the request, in `x-request-id`.
  var requestID: String?

  /// The line, without its end.
  var line: String {
    var line = JSONLine()
    line.add("time", record.ended.iso8601)
    switch kind {
    case .access:
      line.add("level", LogLevel.info.rawValue)
      line.add("event", "call")
    case .slow:
      line.add("level", LogLevel.warning.rawValue)
      line.add("event", "slow_call")
    }
    line.add("method", method)
    line.add("code", status.description)
    line.add("duration_us", record.duration.inMicroseconds)
    switch kind {
    case .access:
      line.add("request_messages", record.counts.messagesReceived)
      line.add("request_bytes", record.counts.bytesReceived)
      line.add("response_messages", record.counts.messagesSent)
      line.add("response_bytes", record.counts.bytesSent)
    case .slow(let slow): slow.add(to: &line)
    }
    line.add("peer", peer)
    if let user { line.add("user", user) }
    if let trace { line.add("trace_id", trace.traceID) }
    if let requestID { line.add("request_id", requestID) }
    return line.finished
  }
}

extension Duration {
  /// Rounded toward zero.
  var inMicroseconds: Int { Int(inNanoseconds / 1000) }
}

/// One JSON object on one line.
struct JSONLine {
  private var text = "{"

  mutating func add(_ name: String, _ value: String) {
    begin(name)
    text.appendJSON(value)
  }

  mutating func add(_ name: String, _ value: Int) {
    begin(name)
    text += String(value)
  }

  private mutating func begin(_ name: String) {
    if text.utf8.count > 1 { text += "," }
    text.appendJSON(name)
    text += ":"
  }

  var finished: String { text + "}" }
}
