import HTTP2
import WebProtocols

/// The command line. Flags of the client have the names that gRPC's own interop clients give them; values may follow
/// after a space or `=`.
struct Options {
  static let usage = """
    Usage: octet-interop --listen ADDR:PORT [FLAGS]
           octet-interop --client --server ADDR:PORT --test_case NAME [FLAGS]

    Serves grpc.testing.TestService with the public behaviour of the gRPC interoperability tests, besides health and
    reflection, until SIGTERM or SIGINT. Or plays the client of these tests, and exits with 0 if the server passes.

    Server:
      --listen ADDR:PORT   where to listen; port 0 lets the kernel choose
      --benchmark          serve bench.v1.Bench instead
      --loops N            event loops; by default one for each processor
      --busy-poll N        microseconds for which a loop looks for events before it sleeps (50)
      --tls-cert FILE      serve TLS with this certificate (PEM, with its chain)
      --tls-key FILE       the certificate's private key (PEM)
      --tls-listen ADDR:PORT
                           where to do so; by default at --listen, which is in the clear otherwise
      --cors-origin A,B    origins whose scripts may call, or *
      --message-period N   seconds in which a message of a request that has begun must go on (60)
      --held-bytes N       what all connections together may hold (536870912)
      --nesting            serve octet.interop.Nesting/Echo too, which gives back a google.protobuf.Value: messages in
                           messages, as deep as a client likes

    Client:
      --client                  be the client
      --server ADDR:PORT        the server; or:
      --server_host HOST        its host
      --server_port PORT        its port
      --test_case NAME          which test to run, or "all"; "list" prints their names
      --use_tls true|false      whether to use TLS; not by default
      --ca_file FILE            the authorities to trust (PEM); those of the system by default
      --server_host_override NAME
                                the name that the server's certificate must be for
      --name_server ADDR:PORT   look the service config of the server's name up in DNS, with this IPv4 name server
      --soak_iterations N       calls of rpc_soak and channel_soak, in each of their threads (10)
      --soak_num_threads N      how many of them at once (1)
      --soak_max_failures N     how many may fail (0)
      --soak_per_iteration_max_acceptable_latency_ms N
                                a call that takes longer has failed (1000)
      --soak_overall_timeout_seconds N
                                all must be done by then (10)
      --soak_min_time_ms_between_rpcs N
                                the least time from one call's start to the next one's (0)
      --soak_request_size N     bytes of a request's payload (271828)
      --soak_response_size N    bytes of an answer's payload (314159)

      --help               print this

    """

  /// What a client is to do.
  struct Client {
    var server = ""
    var host = ""
    var port = ""
    var testCase = ""
    var usesTLS = false
    var authorityFile: String?
    var serverName: String?
    var nameServer: SocketAddress?
    var soak = Soak()
  }

  /// How long and how often the soak tests call.
  struct Soak {
    var iterations = 10
    var threads = 1
    var maxFailures = 0
    var maxLatency = Duration.milliseconds(1000)
    var overallTimeout = Duration.seconds(10)
    var minTimeBetweenCalls = Duration.zero
    var requestSize = 271_828
    var responseSize = 314_159
  }

  var listen = ""
  var isBenchmark = false
  var loops: Int?
  var busyPoll = EventLoop.defaultBusyPoll
  var certificateFile: String?
  var keyFile: String?
  var corsOrigins: [String] = []
  var messagePeriod: Int?
  var heldBytes: Int?
  var isNesting = false
  var tlsListen: String?
  var isClient = false
  var client = Client()

  /// - Throws: `UsageError` for anything that the usage does not allow.
  init(_ arguments: ArraySlice<String>) throws {
    var words = Words(arguments)
    while let flag = words.nextFlag() {
      if try !takeServerFlag(flag, &words), try !takeClientFlag(flag, &words) {
        throw UsageError("unknown flag \(flag)")
      }
    }
    if isClient {
      try checkClient()
    } else {
      guard !listen.isEmpty else { throw UsageError("--listen is missing") }
      guard (certificateFile == nil) == (keyFile == nil) else {
        throw UsageError("--tls-cert and --tls-key belong together")
      }
      guard tlsListen == nil || certificateFile != nil else { throw UsageError("--tls-listen needs a certificate") }
    }
  }

  private mutating func takeServerFlag(_ flag: String, _ words: inout Words) throws -> Bool {
    switch flag {
    case "--listen": listen = try words.value(flag)
    case "--benchmark": isBenchmark = true
    case "--loops": loops = try words.number(flag, atLeast: 1)
    case "--busy-poll": busyPoll = .microseconds(try words.number(flag))
    case "--tls-cert": certificateFile = try words.value(flag)
    case "--tls-key": keyFile = try words.value(flag)
    case "--cors-origin": corsOrigins = try words.value(flag).split(separator: ",").map { String($0) }
    case "--message-period": messagePeriod = try words.number(flag, atLeast: 1)
    case "--nesting": isNesting = true
    case "--tls-listen": tlsListen = try words.value(flag)
    case "--held-bytes": heldBytes = try words.number(flag, atLeast: 1)
    default: return false
    }
    return true
  }

  private mutating func takeClientFlag(_ flag: String, _ words: inout Words) throws -> Bool {
    switch flag {
    case "--client": isClient = true
    case "--server": client.server = try words.value(flag)
    case "--server_host": client.host = try words.value(flag)
    case "--server_port": client.port = try words.value(flag)
    case "--test_case": client.testCase = try words.value(flag)
    case "--use_tls": client.usesTLS = try words.boolean(flag)
    case "--ca_file": client.authorityFile = try words.value(flag)
    case "--server_host_override": client.serverName = try words.value(flag)
    case "--name_server":
      let text = try words.value(flag)
      guard let address = SocketAddress(text), case .ipv4 = address else {
        throw UsageError("\(flag): \(text) is no IPv4 address with a port")
      }
      client.nameServer = address
    case "--soak_iterations": client.soak.iterations = try words.number(flag, atLeast: 1)
    case "--soak_num_threads": client.soak.threads = try words.number(flag, atLeast: 1)
    case "--soak_max_failures": client.soak.maxFailures = try words.number(flag)
    case "--soak_per_iteration_max_acceptable_latency_ms":
      client.soak.maxLatency = .milliseconds(try words.number(flag))
    case "--soak_overall_timeout_seconds": client.soak.overallTimeout = .seconds(try words.number(flag))
    case "--soak_min_time_ms_between_rpcs": client.soak.minTimeBetweenCalls = .milliseconds(try words.number(flag))
    case "--soak_request_size": client.soak.requestSize = try words.number(flag)
    case "--soak_response_size": client.soak.responseSize = try words.number(flag)
    default: return false
    }
    return true
  }

  private mutating func checkClient() throws {
    guard !client.testCase.isEmpty else { throw UsageError("--test_case is missing") }
    guard client.server.isEmpty else { return }
    guard !client.host.isEmpty, !client.port.isEmpty else {
      throw UsageError("--server, or --server_host and --server_port are missing")
    }
    client.server = client.host.contains(":") ? "[\(client.host)]:\(client.port)" : "\(client.host):\(client.port)"
  }

  /// Which scripts may call; nil for none.
  var cors: CORSPolicy? {
    guard !corsOrigins.isEmpty else { return nil }
    return CORSPolicy(origins: corsOrigins == ["*"] ? .any : .only(Set(corsOrigins)), headers: .any)
  }

  /// Where to listen, and with which certificate.
  func listenAddresses() throws -> ([ListenAddress], TLSServerConfiguration?) {
    func address(_ text: String, encrypted: Bool) throws -> ListenAddress {
      guard let address = encrypted ? ListenAddress.tls(text) : ListenAddress.cleartext(text) else {
        throw UsageError("\(text) is no address to listen on")
      }
      return address
    }
    guard let certificateFile, let keyFile else { return ([try address(listen, encrypted: false)], nil) }
    let tls = try TLSServerConfiguration(certificateFile: certificateFile, keyFile: keyFile)
    guard let tlsListen else { return ([try address(listen, encrypted: true)], tls) }
    return ([try address(listen, encrypted: false), try address(tlsListen, encrypted: true)], tls)
  }
}

/// The words of a command line that are not used yet.
private struct Words {
  private var words: ArraySlice<String>
  /// What stood behind `=` in the last flag.
  private var attached: String?

  init(_ words: ArraySlice<String>) {
    self.words = words
  }

  mutating func nextFlag() -> String? {
    guard let word = words.popFirst() else { return nil }
    let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    attached = parts.count == 2 ? String(parts[1]) : nil
    return String(parts[0])
  }

  mutating func value(_ flag: String) throws -> String {
    guard let value = attached ?? words.popFirst() else { throw UsageError("\(flag) needs a value") }
    return value
  }

  mutating func number(_ flag: String, atLeast least: Int = 0) throws -> Int {
    // More than enough of anything, and far from any overflow.
    guard let number = Int(try value(flag)), (least...1_000_000_000).contains(number) else {
      throw UsageError("\(flag) needs a number of at least \(least)")
    }
    return number
  }

  mutating func boolean(_ flag: String) throws -> Bool {
    guard let value = Bool(try value(flag)) else { throw UsageError("\(flag) needs true or false") }
    return value
  }
}

/// A mistake on the command line.
struct UsageError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }
}
