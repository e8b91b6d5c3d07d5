import HTTP2
import Testing

/// An answer as an HTTP/1 client reads it.
struct HTTP1Answer: Equatable {
  var status = 0
  var headers: [String: String] = [:]
  var body = ""
  var trailers: [String: String] = [:]
  /// Whether the end of the connection was the end of the body, or came before it.
  var isCut = false
}

extension RawPeer {
  func send(_ text: String) throws { try send(Array(text.utf8)) }

  /// Connects to a fixture's server.
  convenience init(_ fixture: Fixture) throws {
    try self.init(port: try #require(fixture.server.boundAddresses[0].address.port))
  }

  /// The next answer; nil at the end of the connection.
  func answer(toHead isHead: Bool = false) throws -> HTTP1Answer? {
    let first = try line()
    guard !first.isEmpty else { return nil }
    var answer = HTTP1Answer()
    let parts = first.split(separator: " ", maxSplits: 2)
    answer.status = try #require(Int(parts[1]))
    #expect(parts[0] == "HTTP/1.1")
    answer.headers = try fields()
    if isHead || answer.status < 200 || answer.status == 204 || answer.status == 304 { return answer }
    if answer.headers["transfer-encoding"] == "chunked" {
      while true {
        guard let size = Int(try line(), radix: 16) else {
          answer.isCut = true
          return answer
        }
        if size == 0 { break }
        answer.body += String(decoding: try take(size), as: UTF8.self)
        #expect(try line() == "")
      }
      answer.trailers = try fields()
    } else if let length = answer.headers["content-length"].flatMap({ Int($0) }) {
      let octets = try take(length)
      answer.isCut = octets.count < length
      answer.body = String(decoding: octets, as: UTF8.self)
    } else {
      answer.isCut = true
      answer.body = String(decoding: try readAll(), as: UTF8.self)
    }
    return answer
  }

  private func line() throws -> String {
    let octets = try takeLine()
    guard !octets.isEmpty else { return "" }
    #expect(octets.suffix(2) == Array("\r\n".utf8)[...])
    return String(decoding: octets.dropLast(2), as: UTF8.self)
  }

  private func fields() throws -> [String: String] {
    var fields: [String: String] = [:]
    while case let line = try line(), !line.isEmpty {
      let colon = try #require(line.firstIndex(of: ":"))
      fields[String(line[..<colon])] = String(line[line.index(colon, offsetBy: 2)...])
    }
    return fields
  }
}
