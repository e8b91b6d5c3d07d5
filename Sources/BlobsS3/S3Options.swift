internal import Base
public import Cryptography

/// Which bucket, how to reach it, and how patiently.
public struct S3Options: Sendable, CustomStringConvertible {
  /// `https://s3.eu-central-1.amazonaws.com` or `http://127.0.0.1:8333`: scheme, host, and port if it is not the
  /// scheme's. The bucket goes into the path.
  public var endpoint: String
  public var region: String
  public var bucket: String

  /// Before all names, with `/` at its end unless it is empty. One prefix belongs to one database.
  public var prefix = ""

  public var accessKey: String
  public var secret: SecretKey

  /// A file of certificates to trust in place of the system's.
  public var certificates: String?

  /// The size of the parts of an upload, in bytes: what an upload holds in memory, and by which its durable offset
  /// grows. S3 takes 5 MiB at least, and 10,000 parts.
  public var partBytes = 8 << 20

  /// How many requests may be under way or wait. Each may hold a part.
  public var requests = 128

  /// How many connections there are to the server at once.
  public var connections = 16

  /// For the connection to be made, including TLS.
  public var connectTimeout: Duration = .seconds(5)

  /// For one attempt as a whole, which carries a part at most.
  public var attemptTimeout: Duration = .seconds(60)

  /// How long nothing may come or go during an attempt, in whole seconds: a server that keeps silent for so long, or a
  /// connection that leads nowhere any more, is not waited for until the attempt's end.
  public var stallTimeout: Duration = .seconds(20)

  /// How often a request is tried when the server fails, is overloaded or cannot be reached.
  public var attempts = 5

  /// The wait before the second attempt, doubled with each further one, give or take a fifth.
  public var firstWait: Duration = .milliseconds(100)

  public init(endpoint: String, region: String, bucket: String, accessKey: String, secret: SecretKey) {
    self.endpoint = endpoint
    self.region = region
    self.bucket = bucket
    self.accessKey = accessKey
    self.secret = secret
  }

  /// Without the secret and the access key.
  public var description: String { "S3 bucket \(bucket) at \(endpoint), region \(region), prefix '\(prefix)'" }

  /// Whether `endpoint` is one: a store with any other cannot be made.
  public var isEndpoint: Bool { host != nil }

  /// Host and port as they stand in the `host` header.
  var host: String? {
    for scheme in ["https://", "http://"] where endpoint.hasPrefix(scheme) {
      let host = String(endpoint.dropFirst(scheme.count))
      return host.isEmpty || host.contains("/") ? nil : host
    }
    return nil
  }
}
