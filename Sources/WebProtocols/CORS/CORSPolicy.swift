internal import RPC

/// Which scripts of other origins may call, as the Fetch standard's CORS protocol lets a server say. Credentials that a
/// browser adds by itself (cookies, client certificates) are never allowed: tokens come in a header.
public struct CORSPolicy: Sendable, Equatable {
  /// A list of names of which `any` stands for all.
  public enum Names: Sendable, Equatable {
    case any
    case only(Set<String>)

    func contains(_ name: String) -> Bool {
      switch self {
      case .any: true
      case .only(let names): names.contains(name)
      }
    }
  }

  /// Origins as browsers write them: `https://console.example.com`, with a port if it is not the scheme's own.
  public var origins: Names
  /// Request headers beside those that the protocols need, in lower case: metadata that scripts may send.
  public var headers: Names
  /// How long a browser may keep the answer to a preflight. Two hours is the most that Chromium obeys.
  public var maxAge: Duration

  public init(origins: Names, headers: Names = .only([]), maxAge: Duration = .seconds(7200)) {
    self.origins = origins
    self.headers = headers
    self.maxAge = maxAge
  }

  /// Whether `text` is an origin that a list can hold: scheme, host and perhaps a port, nothing behind. `null`, the
  /// origin of files and sandboxes, is none: anybody can have it.
  public static func isOrigin(_ text: String) -> Bool {
    for scheme in ["https://", "http://"] where text.hasPrefix(scheme) {
      let host = text.dropFirst(scheme.count)
      return !host.isEmpty && text == text.lowercased() && host.utf8.allSatisfy(isHostOctet)
    }
    return false
  }

  private static func isHostOctet(_ octet: UInt8) -> Bool {
    switch octet {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."),
      UInt8(ascii: "-"), UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"):
      true
    default: false
    }
  }

  /// What the protocols need: their own headers, the credentials, and the trace context.
  static let protocolHeaders: Set = [
    "authorization", "connect-accept-encoding", "connect-content-encoding", "connect-protocol-version",
    "connect-timeout-ms", "content-encoding", "content-type", "grpc-accept-encoding", "grpc-encoding", "grpc-timeout",
    "traceparent", "tracestate", "x-grpc-web", "x-user-agent",
  ]
}

// MARK: - Answers

extension CORSPolicy {
  /// What an answer to this request says. It grants nothing if the request comes from no script of another origin, or
  /// from one that may not call, whom the browser then keeps from the answer.
  func grant(_ headers: HeaderList) -> CORSGrant {
    // The same for all requests, so that a cache may give any of them the same answer.
    if origins == .any { return CORSGrant(origin: "*", varies: false) }
    guard let origin = headers.first("origin"), origins.contains(origin) else {
      return CORSGrant(origin: nil, varies: true)
    }
    return CORSGrant(origin: origin, varies: true)
  }

  /// Answers a browser that asks whether a script may make a request; nil if `head` is no such question.
  func preflight(_ head: RequestHead) -> (status: Int, headers: HeaderList, body: String)? {
    guard head.method == "OPTIONS", let origin = head.headers.first("origin"),
      let method = head.headers.first("access-control-request-method")
    else { return nil }
    var answer: HeaderList = ["vary": "origin, access-control-request-method, access-control-request-headers"]
    guard origins.contains(origin) else {
      return (403, answer, "scripts of the origin \(origin) may not call this server\n")
    }
    guard method == "POST" || method == "GET" else { return (403, answer, "only POST and GET are used\n") }
    let requested = (head.headers.first("access-control-request-headers") ?? "").lowercased()
    let names = requested.split(separator: ",").map { $0.filter { $0 != " " } }
    if let refused = names.first(where: { !Self.protocolHeaders.contains($0) && !self.headers.contains($0) }) {
      return (403, answer, "scripts may not send the header \(refused)\n")
    }
    answer.append("access-control-allow-origin", origins == .any ? "*" : origin)
    answer.append("access-control-allow-methods", "GET, POST")
    if !names.isEmpty { answer.append("access-control-allow-headers", names.joined(separator: ", ")) }
    answer.append("access-control-max-age", String(max(0, maxAge.components.seconds)))
    return (204, answer, "")
  }
}

/// What CORS adds to one answer.
struct CORSGrant: Equatable {
  /// The origin that may read the answer, or `*`; nil for none.
  let origin: String?
  /// Whether the answer would be another one for another origin.
  let varies: Bool

  /// Adds the fields to a head that is complete otherwise.
  func annotate(_ head: inout HeaderList) {
    if varies { head.append("vary", "origin") }
    guard let origin else { return }
    var names: [String] = []
    for field in head {
      let name = head.name(of: field)
      if !names.contains(name) { names.append(name) }
    }
    head.append("access-control-allow-origin", origin)
    // All that is there: metadata and status are for the script.
    head.append("access-control-expose-headers", names.joined(separator: ", "))
  }
}
