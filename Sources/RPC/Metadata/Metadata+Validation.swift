/// Why a name or a value cannot be metadata.
public enum MetadataError: Error, Equatable {
  /// A name is one or more of `a-z 0-9 _ . -`.
  case invalidName(String)
  /// The protocol needs the name for itself.
  case reservedName(String)
  /// Text under a name that ends in `-bin`.
  case binaryName(String)
  /// Bytes under a name that does not.
  case textName(String)
  /// The value has something else than printable ASCII.
  case invalidValue(name: String)
  /// A received `-bin` value is not base 64.
  case invalidBase64(name: String)
}

extension MetadataError: RPCErrorConvertible {
  /// What a peer sent wrong is its fault; the rest is a mistake in this program.
  public var rpcError: RPCError {
    switch self {
    case .invalidBase64(let name): RPCError(.invalidArgument, "the metadata \(name) is not valid base 64")
    default: RPCError(.internal, "invalid metadata")
    }
  }
}

extension Metadata {
  static let binarySuffix = "-bin"

  /// Names that HTTP or gRPC give a meaning of their own. `grpc-` is reserved as a whole.
  private static let reserved: Set<String> = [
    "connection", "content-length", "content-type", "host", "keep-alive", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade", "user-agent",
  ]

  static func isReserved(_ name: String) -> Bool {
    name.hasPrefix("grpc-") || reserved.contains(name)
  }

  /// A name as it goes over the wire.
  static func userName(_ name: String) throws(MetadataError) -> String {
    guard !name.isEmpty, name.utf8.count <= UInt16.max, name.utf8.allSatisfy(\.isMetadataName) else {
      throw .invalidName(name)
    }
    let lower = name.lowercased()
    guard !isReserved(lower) else { throw .reservedName(lower) }
    return lower
  }
}

extension UInt8 {
  /// The octet with `A` to `Z` put into lower case.
  var asciiLowercased: UInt8 {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self | 0x20 : self
  }

  fileprivate var isMetadataName: Bool {
    switch self {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"):
      true
    default: false
    }
  }
}
