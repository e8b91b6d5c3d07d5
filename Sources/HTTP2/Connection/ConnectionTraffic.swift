internal import RPC

/// What a connection counts for operators. Times are of the loop's clock, 0 for never.
struct ConnectionTraffic: Equatable {
  var streamsStarted = 0
  /// Streams that ended in good order, whatever the status of their calls.
  var streamsSucceeded = 0
  var streamsFailed = 0
  /// Calls that ended with another status than OK.
  var callsFailed = 0
  var messagesSent = 0
  var messagesReceived = 0
  var keepalivesSent = 0
  var lastStreamStarted: Int64 = 0
  var lastMessageSent: Int64 = 0
  var lastMessageReceived: Int64 = 0

  /// - Parameter reason: nil for a regular end.
  mutating func ended(_ stream: HTTP2Stream, _ reason: StreamClosure?) {
    if reason == nil { streamsSucceeded += 1 } else { streamsFailed += 1 }
    let progress = stream.progress
    add(progress.counts)
    if reason != nil || progress.status ?? .ok != .ok { callsFailed += 1 }
  }

  mutating func add(_ counts: CallCounts) {
    messagesSent += counts.messagesSent
    messagesReceived += counts.messagesReceived
  }
}
