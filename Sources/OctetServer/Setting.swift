/// One thing that can be configured: as a flag, as an environment variable, and as a line of the configuration file.
struct Setting: Sendable {
  /// The flag without dashes, which is also the key in the file: `tls-listen`.
  let name: String
  /// What the value stands for in the help text; nil for a switch.
  let placeholder: String?
  /// The value when nothing else says so.
  let fallback: String?
  /// One sentence for the help text.
  let help: String
  /// Not taken as a flag, which every user of the machine can see.
  var isSecret = false

  /// `OCTET_TLS_LISTEN` for `tls-listen`.
  var variable: String {
    "OCTET_" + name.uppercased().replacing("-", with: "_")
  }
}

extension Setting {
  static let listen = Setting(
    name: "listen", placeholder: "ADDR:PORT", fallback: nil,
    help: "Serve cleartext HTTP/2 here; several, separated by commas. Port 0 lets the system choose. Also unix:PATH.")
  static let tlsListen = Setting(
    name: "tls-listen", placeholder: "ADDR:PORT", fallback: nil,
    help: "Serve TLS here; needs --tls-certificate and --tls-key.")
  static let tlsCertificate = Setting(
    name: "tls-certificate", placeholder: "FILE", fallback: nil,
    help: "The certificate chain, PEM; several, separated by commas, are chosen by server name. Read again on SIGHUP.")
  static let tlsKey = Setting(
    name: "tls-key", placeholder: "FILE", fallback: nil,
    help: "The certificate's private key, PEM; as many as certificates, in their order.")
  static let data = Setting(
    name: "data", placeholder: "DIR", fallback: "var", help: "Where the database and the server's keys are kept.")
  static let database = Setting(
    name: "database", placeholder: "URL", fallback: nil,
    help: "Keep the data in PostgreSQL, postgres://USER@HOST/NAME, which nodes may share. SQLite in --data by default.")
  static let bus = Setting(
    name: "bus", placeholder: "URL", fallback: nil,
    help: "Tell other nodes at once what was committed, by NATS: nats://HOST or tls://HOST, several with commas.")
  static let busAuthority = Setting(
    name: "bus-ca", placeholder: "FILE", fallback: nil,
    help: "Authorities whose certificates are trusted at tls:// servers of --bus, PEM, in place of the system's.")
  static let blobs = Setting(
    name: "blobs", placeholder: "DIR", fallback: nil,
    help: "Where contents such as pictures are kept: by default in --data. Nodes that share a database share it, too.")
  static let services = Setting(
    name: "services", placeholder: "A,B", fallback: nil,
    help: "Serve only these domains, such as identity,rides. All of them by default, but for bench, which measures.")
  static let web = Setting(
    name: "web", placeholder: nil, fallback: "true",
    help: "Serve gRPC-Web and Connect, and JSON with that, beside gRPC.")
  static let corsOrigin = Setting(
    name: "cors-origin", placeholder: "A,B", fallback: nil,
    help: "Origins whose scripts may call, such as https://console.example.com, or *. None by default.")
  static let corsHeader = Setting(
    name: "cors-header", placeholder: "A,B", fallback: nil,
    help: "Metadata that these scripts may send, or *. The protocols' own headers and authorization are allowed anyhow."
  )
  static let corsMaxAge = Setting(
    name: "cors-max-age", placeholder: "SECONDS", fallback: "7200",
    help: "How long a browser may remember what it was allowed.")
  static let loops = Setting(
    name: "loops", placeholder: "N", fallback: nil, help: "Event loops; one for each core by default.")
  static let busyPoll = Setting(
    name: "busy-poll", placeholder: "DURATION", fallback: "50us",
    help: "How long a loop looks for events before it sleeps, where one comes soon after another. 0s: never."
      + " Other threads get the processor meanwhile.")
  static let drainTimeout = Setting(
    name: "drain-timeout", placeholder: "SECONDS", fallback: "10",
    help: "How long SIGTERM waits for calls under way before it ends them.")
  static let defaultDeadline = Setting(
    name: "default-deadline", placeholder: "SECONDS", fallback: "30",
    help: "Ends a unary call for which neither its client nor its method has a deadline. Streams have none.")
  static let queueDelay = Setting(
    name: "queue-delay", placeholder: "DURATION", fallback: "50ms",
    help: "Refuse calls, the least important first, when requests wait this long for their event loop. 0s: never.")
  static let rateLimits = Setting(
    name: "rate-limits", placeholder: "CLASS=N/BURST,…", fallback: nil,
    help: "How often one caller may call, by rate class: N a second, BURST at once."
      + " Default: standard=100/400,expensive=5/500,telemetry=50/200. Above a fifth of its expensive rate an address"
      + " must answer a challenge to register or to log in.")
  static let limits = Setting(
    name: "limits", placeholder: "NAME=N,…", fallback: nil,
    help: "How much people may have and do, such as sessions=20,notice-days=90. The guide on settings names them all.")
  static let passwordCost = Setting(
    name: "password-cost", placeholder: "MIB/PASSES", fallback: "64/3",
    help: "How much work a new password's Argon2id hash is: memory and passes, at least 46/1, 19/2, 12/3, 9/4 or 7/5."
      + " Those that are there stay as they are.")
  static let channelz = Setting(
    name: "channelz", placeholder: nil, fallback: nil,
    help: "Serve grpc.channelz.v1, which shows connections and addresses, to callers with the role admin.")
  static let logLevel = Setting(
    name: "log-level", placeholder: "LEVEL", fallback: "info", help: "debug, info, warning or error.")
  static let adminListen = Setting(
    name: "admin-listen", placeholder: "[ADDR:]PORT", fallback: nil,
    help:
      "Answer operators here: /metrics, /healthz, /readyz. On 127.0.0.1 if there is no ADDR. Never a public address.")
  static let accessLog = Setting(
    name: "access-log", placeholder: nil, fallback: nil, help: "Log a line for every call.")
  static let slowCall = Setting(
    name: "slow-call", placeholder: "DURATION", fallback: nil,
    help: "Log a line that says where the time went for calls that take this long: 500ms, 2s.")
  static let otlpEndpoint = Setting(
    name: "otlp-endpoint", placeholder: "URL", fallback: nil,
    help: "Send traces to the OpenTelemetry collector at http://HOST:PORT or https://HOST:PORT, over gRPC.")
  static let traceSampleRatio = Setting(
    name: "trace-sample-ratio", placeholder: "SHARE", fallback: "1",
    help: "The share, 0 to 1, that is kept of traces which begin here. Those of clients are kept as the clients say.")
  static let seedDemo = Setting(
    name: "seed-demo", placeholder: nil, fallback: nil,
    help: "Fill an empty database with demo accounts and a demo city. Never in production: passwords are known.")
  static let config = Setting(
    name: "config", placeholder: "FILE", fallback: nil,
    help: "Read settings from FILE: a line each, `name = value`; # begins a comment.")

  static let to = Setting(name: "to", placeholder: "FILE", fallback: nil, help: "Where the backup is written.")
  static let from = Setting(name: "from", placeholder: "FILE", fallback: nil, help: "The backup that is put back.")
  static let force = Setting(
    name: "force", placeholder: nil, fallback: nil, help: "Replace the file or database that is there.")

  /// Flags of subcommands alone: neither a variable nor a file can say them.
  static let ofSubcommands = [to, from, force]

  static let all =
    [
      listen, tlsListen, tlsCertificate, tlsKey, tlsClientCA, tlsClientAuth, data, database, bus, busAuthority,
      blobs,
    ] + BlobSettings.all + OutboundSettings.all + [
      services, web, corsOrigin, corsHeader, corsMaxAge, loops, busyPoll, drainTimeout, defaultDeadline, queueDelay,
      rateLimits, limits, passwordCost,
      channelz, logLevel, adminListen, accessLog, slowCall, otlpEndpoint, traceSampleRatio,
    ] + connections + [seedDemo, config]
}
