import HTTP2

/// The command line.
struct Options {
  static let usage = """
    Usage: octet-interop --listen ADDR:PORT [FLAGS]

    Serves grpc.testing.TestService with the public behaviour of the gRPC interoperability tests, besides health and
    reflection, until SIGTERM or SIGINT.

      --listen ADDR:PORT   where to listen; port 0 lets the kernel choose
      --benchmark          serve bench.v1.Bench instead
      --loops N            event loops; by default one for each processor
      --tls-cert FILE      serve TLS with this certificate (PEM, with its chain)
      --tls-key FILE       the certificate's private key (PEM)
      --help               print this

    """

  var listen = ""
  var isBenchmark = false
  var loops: Int?
  var certificateFile: String?
  var keyFile: String?

  /// - Throws: `UsageError` for anything that the usage does not allow.
  init(_ arguments: ArraySlice<String>) throws {
    var arguments = arguments
    func value(_ flag: String) throws -> String {
      guard let value = arguments.popFirst() else { throw UsageError("\(flag) needs a value") }
      return value
    }
    while let flag = arguments.popFirst() {
      switch flag {
      case "--listen": listen = try value(flag)
      case "--benchmark": isBenchmark = true
      case "--loops":
        guard let count = Int(try value(flag)), count > 0 else { throw UsageError("--loops needs a number above 0") }
        loops = count
      case "--tls-cert": certificateFile = try value(flag)
      case "--tls-key": keyFile = try value(flag)
      default: throw UsageError("unknown flag \(flag)")
      }
    }
    guard !listen.isEmpty else { throw UsageError("--listen is missing") }
    guard (certificateFile == nil) == (keyFile == nil) else {
      throw UsageError("--tls-cert and --tls-key belong together")
    }
  }

  /// Where to listen, and with which certificate.
  func listenAddress() throws -> (ListenAddress, TLSServerConfiguration?) {
    var tls: TLSServerConfiguration?
    if let certificateFile, let keyFile {
      tls = try TLSServerConfiguration(certificateFile: certificateFile, keyFile: keyFile)
    }
    guard let address = tls == nil ? ListenAddress.cleartext(listen) : ListenAddress.tls(listen) else {
      throw UsageError("\(listen) is no address to listen on")
    }
    return (address, tls)
  }
}

/// A mistake on the command line.
struct UsageError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }
}
