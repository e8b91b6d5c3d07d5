internal import Curl
public import DomainKit

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Gives push messages to the servers of the devices' makers, by a POST of JSON to the device's address.
///
/// Addresses come from clients, so only those at origins that the operator names are asked; redirects are not followed.
public final class PushPoster: Outbound {
  /// How long a server keeps a message for a device that is off, in seconds.
  private static let keptSeconds = 86_400

  private let origins: [String]
  private let client: CurlClient

  /// - Parameters:
  ///   - origins: such as `https://push.example.com`, each with its port unless it is the scheme's; see `isOrigin`.
  ///   - certificates: a file of certificates to trust in place of the system's.
  public init(origins: [String], certificates: String? = nil) {
    self.origins = origins
    client = CurlClient(options: .couriers("push", certificates: certificates))
  }

  /// Whether a text is `https://HOST[:PORT]` or `http://HOST[:PORT]`.
  public static func isOrigin(_ text: String) -> Bool {
    ["https://", "http://"].contains { scheme in
      let host = text.dropFirst(scheme.count)
      return text.hasPrefix(scheme) && !host.isEmpty
        && host.utf8.allSatisfy { byte in
          switch byte {
          case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."),
            UInt8(ascii: "-"), UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"):
            true
          default: false
          }
        }
    }
  }

  public func accepts(_ address: String) -> Bool {
    // What follows the origin is a path: nothing that could name another host.
    origins.contains { address.hasPrefix($0 + "/") } && address.utf8.allSatisfy { (0x21...0x7e).contains($0) }
  }

  public func send(_ letter: OutboundLetter) async -> SendOutcome {
    guard accepts(letter.address) else { return .gone("not at an allowed push server") }
    let message = PushMessage(
      key: letter.key, title: letter.title, text: letter.text, kind: letter.kind, notice: letter.notice,
      object: letter.object)
    do {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      let body = try Array(encoder.encode(message))
      let headers = [("TTL", "\(Self.keptSeconds)"), ("Idempotency-Key", letter.key)]
      let response = try await client.send(
        CurlRequest(
          url: letter.address, .http(method: "POST", headers: headers, body: body, type: "application/json"),
          answerBytes: CurlOptions.answerBytes))
      return Self.outcome(response.status)
    } catch let failure as CurlFailure {
      return .retry(failure.message)
    } catch {
      return .retry("\(error)")
    }
  }

  public func close() async { client.close() }

  private static func outcome(_ status: Int) -> SendOutcome {
    switch status {
    case 200..<300: .accepted
    // The device has been unregistered there (RFC 8030 §7.3).
    case 404, 410: .gone("HTTP \(status)")
    case 408, 425, 429, 500...: .retry("HTTP \(status)")
    default: .refused("HTTP \(status)")
    }
  }

  /// What a device is shown. Its own address is not in it.
  private struct PushMessage: Encodable {
    let key: String
    let title: String
    let text: String
    let kind: String
    let notice: String
    let object: String?
  }
}
