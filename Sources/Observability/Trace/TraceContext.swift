internal import Base

/// Where an operation stands in a distributed trace, as W3C Trace Context carries it between services.
public struct TraceContext: Sendable, Equatable {
  /// The 16 bytes of the trace's id, in two halves; not both zero.
  public var traceHigh: UInt64
  public var traceLow: UInt64
  /// The 8 bytes of the operation's own id; not zero.
  public var spanID: UInt64
  /// Whether the spans of the trace are kept.
  public var isSampled: Bool
  /// What vendors add, in the form of the header; empty if there is nothing.
  public var state: String

  public init(traceHigh: UInt64, traceLow: UInt64, spanID: UInt64, isSampled: Bool, state: String = "") {
    self.traceHigh = traceHigh
    self.traceLow = traceLow
    self.spanID = spanID
    self.isSampled = isSampled
    self.state = state
  }

  /// What the current task works for: the span of the call that it handles. nil if nothing is traced.
  @TaskLocal public static var current: TraceContext?

  /// 32 hexadecimal digits.
  public var traceID: String { String(traceHigh, radix: 16, width: 16) + String(traceLow, radix: 16, width: 16) }

  /// The header `traceparent` for a call that this operation makes: version 00.
  public var traceParent: String {
    "00-\(traceID)-\(String(spanID, radix: 16, width: 16))-\(isSampled ? "01" : "00")"
  }

  /// Reads the headers of a request (W3C Trace Context §3.2 and §3.3).
  /// - Parameters:
  ///   - parents: all values of `traceparent`. Anything but one valid value is no context at all.
  ///   - states: all values of `tracestate`. If they are not valid together, they are dropped alone.
  public init?(parents: [String], states: [String]) {
    guard parents.count == 1, let context = TraceContext(parent: parents[0]) else { return nil }
    self = context
    state = TraceState.checked(states)
  }

  /// Reads one `traceparent`. Versions to come may have more behind the flags.
  private init?(parent: String) {
    let octets = Array(parent.utf8)
    // 00-<32>-<16>-<2>
    guard octets.count >= 55, octets[2] == 0x2d, octets[35] == 0x2d, octets[52] == 0x2d,
      let version = Self.hexadecimal(octets[0..<2]), version != 0xff,
      octets.count == 55 || (version > 0 && octets[55] == 0x2d),
      let high = Self.hexadecimal(octets[3..<19]), let low = Self.hexadecimal(octets[19..<35]), high != 0 || low != 0,
      let span = Self.hexadecimal(octets[36..<52]), span != 0,
      let flags = Self.hexadecimal(octets[53..<55])
    else { return nil }
    self.init(traceHigh: high, traceLow: low, spanID: span, isSampled: flags & 1 == 1)
  }

  /// Up to sixteen digits in lower case; nil if there is anything else.
  private static func hexadecimal(_ digits: ArraySlice<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    for digit in digits {
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(digit - UInt8(ascii: "0"))
      case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
      default: return nil
      }
    }
    return value
  }

  /// The context of an operation that this one causes.
  func child(_ random: any RandomSource) -> TraceContext {
    var child = self
    child.spanID = Self.identifier(random)
    return child
  }

  /// The first operation of a trace.
  static func root(_ random: any RandomSource, sampling: SampleRatio) -> TraceContext {
    let (high, low) = (random.next(), identifier(random))
    return TraceContext(
      traceHigh: high, traceLow: low, spanID: identifier(random), isSampled: sampling.takes(traceLow: low))
  }

  /// Eight random bytes that are not all zero.
  private static func identifier(_ random: any RandomSource) -> UInt64 {
    while true {
      let value = random.next()
      if value != 0 { return value }
    }
  }
}

/// Which share of the traces that begin here is kept.
public struct SampleRatio: Sendable, Equatable {
  /// Trace ids whose last eight bytes, halved, are below this are kept, so that all services decide alike.
  private let bound: UInt64

  /// - Parameter share: from 0 (none) to 1 (all).
  public init(_ share: Double) {
    bound = share >= 1 ? 1 << 63 : UInt64(max(share, 0) * 0x1p63)
  }

  func takes(traceLow: UInt64) -> Bool { traceLow >> 1 < bound }
}
