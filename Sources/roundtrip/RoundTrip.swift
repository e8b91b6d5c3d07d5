import Glibc
import ProtobufRuntime

/// Decodes and encodes again what a test in another language sends, for every message type of the project.
///
/// `roundtrip descriptors` writes the FileDescriptorSet of all modules to standard output, `roundtrip measure` times
/// the codec. `roundtrip` alone serves:
/// it reads requests from standard input and answers each on standard output. A request is one octet for the
/// operation, then the full name of a message and a payload, each after its length in four octets, least first.
/// Operations: `w` wire form to wire form; `j` wire form to JSON; `p` JSON to wire form; `d` wire form to debug text.
/// An answer is one octet, 0 for success, and a payload after its length; for a failure the payload says why.
@main
struct RoundTrip {
  static func main() throws {
    switch CommandLine.arguments.dropFirst() {
    case ["descriptors"]: for module in allModules { Pipe.write(module.descriptors) }
    case ["measure"]: try Measurement.run()
    default: serve()
    }
  }

  private static func serve() {
    var types: [String: any Message.Type] = [:]
    for type in allModules.flatMap(\.types) { types[type.fullName] = type }
    let codec: JSONCodec
    do {
      codec = JSONCodec(try DescriptorPool(serializedFileDescriptorSets: allModules.map(\.descriptors)))
    } catch {
      preconditionFailure("the descriptors of the project are broken: \(error)")
    }
    while let operation = Pipe.read(1)?.first {
      guard let name = Pipe.readCounted(), let payload = Pipe.readCounted() else { return }
      do {
        guard let type = types[String(decoding: name, as: UTF8.self)] else { throw Failure.unknownType }
        answer(0, try perform(operation, type, payload, codec))
      } catch {
        answer(1, Array("\(error)".utf8))
      }
    }
  }

  /// Random trees may have more elements than a server takes.
  private static let limits = DecodeLimits(elements: 10_000_000)

  private static func perform(
    _ operation: UInt8, _ type: any Message.Type, _ payload: [UInt8], _ codec: JSONCodec
  ) throws -> [UInt8] {
    switch operation {
    case UInt8(ascii: "w"): return try type.init(decoding: payload, limits: Self.limits).encoded()
    case UInt8(ascii: "j"): return try codec.json(fromWire: payload, type: type.fullName)
    case UInt8(ascii: "p"): return try codec.wire(fromJSON: payload, type: type.fullName)
    case UInt8(ascii: "d"): return Array(try type.init(decoding: payload, limits: Self.limits).debugDescription.utf8)
    default: throw Failure.unknownOperation
    }
  }

  private static func answer(_ status: UInt8, _ payload: [UInt8]) {
    let count = UInt32(payload.count)
    let head = [status] + (0..<4).map { UInt8(truncatingIfNeeded: count >> (8 * UInt32($0))) }
    Pipe.write(head + payload)
  }
}

enum Failure: Error {
  case unknownType
  case unknownOperation
}

/// Standard input and output as octets.
enum Pipe {
  /// The next `count` octets; nil at the end of the input.
  static func read(_ count: Int) -> [UInt8]? {
    var result = [UInt8](repeating: 0, count: count)
    var filled = 0
    while filled < count {
      let added = result.withUnsafeMutableBytes {
        Glibc.read(STDIN_FILENO, UnsafeMutableRawBufferPointer(rebasing: $0[filled...]).baseAddress, count - filled)
      }
      if added < 0, errno == EINTR { continue }
      guard added > 0 else { return nil }
      filled += added
    }
    return result
  }

  /// Octets after their length.
  static func readCounted() -> [UInt8]? {
    guard let head = read(4) else { return nil }
    let count = head.reversed().reduce(0) { $0 << 8 | Int($1) }
    return read(count)
  }

  static func write(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let written = rest.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      if written < 0, errno == EINTR { continue }
      guard written > 0 else { exit(1) }
      rest = rest.dropFirst(written)
    }
  }
}
