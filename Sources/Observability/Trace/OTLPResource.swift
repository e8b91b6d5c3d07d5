internal import Base
internal import OpenTelemetryAPI
internal import RPC

/// Makes OTLP's messages of spans. Attributes follow OpenTelemetry's semantic conventions for RPC.
struct OTLPResource: Sendable {
  private let resource: Resource

  init(service: String, instance: String) {
    var resource = Resource()
    resource.attributes = [
      Self.attribute("service.name", service), Self.attribute("service.instance.id", instance),
      Self.attribute("telemetry.sdk.name", "octet"), Self.attribute("telemetry.sdk.language", "swift"),
    ]
    self.resource = resource
  }

  func request(_ spans: [CallSpan]) -> ExportTraceServiceRequest {
    var scope = ScopeSpans()
    scope.scope = InstrumentationScope()
    scope.scope?.name = "octet.rpc"
    scope.spans = spans.map(Self.span)
    var group = ResourceSpans()
    group.resource = resource
    group.scopeSpans = [scope]
    var request = ExportTraceServiceRequest()
    request.resourceSpans = [group]
    return request
  }

  private static func span(_ call: CallSpan) -> Span {
    var span = Span()
    span.traceID = bytes(call.context.traceHigh) + bytes(call.context.traceLow)
    span.spanID = bytes(call.context.spanID)
    span.traceState = call.context.state
    span.parentSpanID = call.parentID.map(bytes) ?? []
    span.name = "\(call.service)/\(call.method)"
    span.kind = call.side == .server ? .server : .client
    span.startTimeUnixNano = UInt64(clamping: call.began.nanoseconds)
    span.endTimeUnixNano = UInt64(clamping: call.ended.nanoseconds)
    // Sampled, or it would not be here; and whether the parent is remote is known.
    span.flags = 0x001 | 0x100 | (call.hasRemoteParent ? 0x200 : 0)
    span.attributes = [
      attribute("rpc.system", "grpc"), attribute("rpc.service", call.service), attribute("rpc.method", call.method),
      attribute("rpc.grpc.status_code", Int64(call.status.rawValue)),
    ]
    if let peer = call.peer { span.attributes.append(attribute("network.peer.address", peer)) }
    if call.isError {
      span.status = Status()
      span.status?.code = .error
    }
    return span
  }

  private static func attribute(_ key: String, _ value: String) -> KeyValue {
    attribute(key, .stringValue(value))
  }

  private static func attribute(_ key: String, _ value: Int64) -> KeyValue {
    attribute(key, .intValue(value))
  }

  private static func attribute(_ key: String, _ value: AnyValue.Value) -> KeyValue {
    var attribute = KeyValue()
    attribute.key = key
    attribute.value = AnyValue()
    attribute.value?.value = value
    return attribute
  }

  /// Most significant first.
  private static func bytes(_ value: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(56 - 8 * $0)) }
  }
}
