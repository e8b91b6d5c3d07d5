internal import RPC

/// The families that servers and clients have alike.
struct CallFamilies {
  static let server = CallFamilies(prefix: "grpc_server", done: "handled", past: "by the server")
  static let client = CallFamilies(prefix: "grpc_client", done: "handled", past: "by the client")

  let prefix: String
  let done: String
  let past: String

  /// - Parameter rows: for each method its labels and what was counted.
  func families(_ rows: [(labels: [MetricLabel], totals: CallTotals)]) -> [MetricFamily] {
    [
      counter("started_total", "Calls started \(past).", rows, CallCounters.Slot.started),
      handled(rows),
      MetricFamily(
        "\(prefix)_active_calls", .gauge, "Calls under way now.",
        rows.map { MetricSample($0.labels, max($0.totals[CallCounters.Slot.started] - $0.totals.handled, 0)) }),
      counter(
        "msg_received_total", "Messages received \(past).", rows, CallCounters.Slot.messagesReceived),
      counter("msg_sent_total", "Messages sent \(past).", rows, CallCounters.Slot.messagesSent),
      counter(
        "received_bytes_total", "Bytes of messages received \(past), with their prefixes, in ended calls.", rows,
        CallCounters.Slot.bytesReceived),
      counter(
        "sent_bytes_total", "Bytes of messages sent \(past), with their prefixes, in ended calls.", rows,
        CallCounters.Slot.bytesSent),
      handling(rows),
    ]
  }

  private func counter(
    _ name: String, _ help: String, _ rows: [(labels: [MetricLabel], totals: CallTotals)], _ slot: Int
  ) -> MetricFamily {
    MetricFamily("\(prefix)_\(name)", .counter, help, rows.map { MetricSample($0.labels, $0.totals[slot]) })
  }

  private func handled(_ rows: [(labels: [MetricLabel], totals: CallTotals)]) -> MetricFamily {
    var samples: [MetricSample] = []
    for (labels, totals) in rows {
      // A code that never came has no series: most methods know a few of the seventeen.
      for code in StatusCode.allCases where code == .ok || totals.handled(code) > 0 {
        samples.append(MetricSample(labels + [MetricLabel("grpc_code", code.description)], totals.handled(code)))
      }
    }
    return MetricFamily("\(prefix)_handled_total", .counter, "Calls ended \(past), by status code.", samples)
  }

  /// Only of methods that were called: a histogram is twenty series.
  private func handling(_ rows: [(labels: [MetricLabel], totals: CallTotals)]) -> MetricFamily {
    var samples: [MetricSample] = []
    for (labels, totals) in rows where totals.handled > 0 {
      samples += MetricSample.histogram(
        labels, bounds: DurationBuckets.bounds.map { Double($0) / 1e9 }, counts: Array(totals.buckets),
        sum: Double(totals[CallCounters.Slot.nanoseconds]) / 1e9)
    }
    return MetricFamily(
      "\(prefix)_handling_seconds", .histogram, "Time from the head of the request to the status \(past).", samples)
  }
}

/// The labels of a method.
enum CallLabels {
  static func of(_ method: MethodDescriptor) -> [MetricLabel] {
    [
      MetricLabel("grpc_type", type(method.kind)), MetricLabel("grpc_service", method.service),
      MetricLabel("grpc_method", method.name),
    ]
  }

  /// Of all methods that have no series of their own.
  static let other = [
    MetricLabel("grpc_type", "unary"), MetricLabel("grpc_service", "other"), MetricLabel("grpc_method", "other"),
  ]

  private static func type(_ kind: MethodKind) -> String {
    switch kind {
    case .unary: "unary"
    case .serverStreaming: "server_stream"
    case .clientStreaming: "client_stream"
    case .bidirectional: "bidi_stream"
    }
  }
}
