import ProtobufRuntime
import RPC

/// How an error is shown: the status, the reason, each violation, each on its line.
struct ErrorReport {
  /// The lines, without the program's name.
  let lines: [String]
  /// The exit code of the program: the gRPC status code where there is one.
  let exitCode: Int32

  /// EX_USAGE and EX_IOERR of sysexits.h: what goes wrong on this side has no gRPC status.
  private static let usageExitCode: Int32 = 64
  static let localExitCode: Int32 = 74

  init(_ error: any Error) {
    switch error {
    case let error as UsageError:
      lines = [error.message]
      exitCode = Self.usageExitCode
    case let error as LocalError:
      lines = [error.message]
      exitCode = Self.localExitCode
    case let error as JSONError:
      lines = [error.description]
      exitCode = Int32(StatusCode.invalidArgument.rawValue)
    case let error as DescriptorError:
      lines = ["the server's descriptors cannot be used: \(error)"]
      exitCode = Int32(StatusCode.internal.rawValue)
    case is DecodeError:
      lines = ["the server sent a malformed message"]
      exitCode = Int32(StatusCode.internal.rawValue)
    case let error as any RPCErrorConvertible:
      let error = error.rpcError
      let hint = Self.reason(of: error).flatMap { Self.hints[$0] }
      lines =
        [error.description] + error.details.flatMap(Self.lines(of:)).map { "  " + $0 }
        + (hint.map { ["  what helps: \($0)"] } ?? [])
      exitCode = Int32(error.code.rawValue)
    default:
      lines = ["\(error)"]
      exitCode = Int32(StatusCode.unknown.rawValue)
    }
  }

  /// What a person at a command line does about a reason.
  private static let hints = [
    "UNAUTHENTICATED": "octet login", "SESSION_ENDED": "octet login",
    "STEP_UP_REQUIRED": "octet identity step-up, then the same command again",
    "METHOD_OFF": "nothing but patience: the operator has switched the method off",
  ]

  /// The reason in an error's ErrorInfo; nil for an error without one.
  static func reason(of error: RPCError) -> String? {
    error.details.first { $0.typeURL.hasSuffix("/google.rpc.ErrorInfo") }.map { Fields($0.value).text(1) }
  }

  /// A value in the metadata of an error's ErrorInfo.
  static func metadata(_ key: String, of error: RPCError) -> String? {
    error.details.first { $0.typeURL.hasSuffix("/google.rpc.ErrorInfo") }
      .flatMap { Fields($0.value).messages(3).first { $0.text(1) == key }?.text(2) }
  }

  /// The lines of one message of google.rpc. What is malformed is shown as far as it goes.
  private static func lines(of detail: ErrorDetail) -> [String] {
    let fields = Fields(detail.value)
    switch detail.typeURL.split(separator: "/").last {
    case "google.rpc.ErrorInfo":
      let metadata = fields.messages(3).map { ($0.text(1), $0.text(2)) }.sorted { $0.0 < $1.0 }
      return ["reason: \(fields.text(1))"] + metadata.map { "\($0.0): \($0.1)" }
    case "google.rpc.BadRequest":
      return fields.messages(1).map { violation in
        let reason = violation.text(3)
        return "\(violation.text(1)): \(violation.text(2))" + (reason.isEmpty ? "" : " (\(reason))")
      }
    case "google.rpc.QuotaFailure", "google.rpc.PreconditionFailure":
      return fields.messages(1).map { violation in
        [violation.text(1), violation.text(2), violation.text(3)].filter { !$0.isEmpty }.joined(separator: ": ")
      }
    case "google.rpc.RetryInfo":
      let delay = fields.messages(1).first
      let milliseconds = (Double(delay?.integer(2) ?? 0) / 1e6).rounded(.towardZero)
      return ["retry after: \((Double(delay?.integer(1) ?? 0) * 1000 + milliseconds) / 1000) s"]
    case "google.rpc.LocalizedMessage":
      return [fields.text(2)]
    default:
      return ["detail: \(detail.typeURL)"]
    }
  }

  /// Reads a message by field numbers: those of google.rpc are known, and an error must be shown without asking the
  /// server for descriptors.
  private struct Fields {
    private let reader: WireReader

    init(_ bytes: [UInt8]) { reader = WireReader(bytes) }
    private init(_ reader: WireReader) { self.reader = reader }

    func text(_ number: Int32) -> String {
      values(number, .lengthDelimited).last.flatMap { (try? sub($0))?.remaining }.map {
        String(decoding: $0, as: UTF8.self)
      } ?? ""
    }

    func messages(_ number: Int32) -> [Fields] {
      values(number, .lengthDelimited).compactMap { try? Fields(sub($0)) }
    }

    func integer(_ number: Int32) -> Int64? {
      guard var reader = values(number, .varint).last else { return nil }
      return (try? reader.varint()).map { Int64(bitPattern: $0) }
    }

    private func sub(_ reader: WireReader) throws(DecodeError) -> WireReader {
      var reader = reader
      return try reader.lengthDelimited()
    }

    private func values(_ number: Int32, _ type: WireType) -> [WireReader] {
      var reader = reader
      var found: [WireReader] = []
      while let tag = try? reader.tag() {
        if tag == WireTag(number: number, type: type) { found.append(reader) }
        guard (try? reader.skip(tag)) != nil else { break }
      }
      return found
    }
  }
}
