import Base
import Blobs
import BlobsS3
import Cryptography

/// Where contents that are too large for rows are kept.
enum BlobSettings: Sendable {
  case folder(String)
  case s3(S3Options)

  /// - Parameter data: the data directory, which has the folder by default.
  init(_ values: SettingValues, data: String) throws(UsageError) {
    guard let endpoint = values[Self.endpoint] else {
      if let useless = Self.all.first(where: { $0.fallback == nil && values[$0] != nil }) {
        throw UsageError("\(useless.name) needs s3-endpoint")
      }
      self = .folder(values[.blobs] ?? data + "/blobs")
      return
    }
    guard values[.blobs] == nil else {
      throw UsageError("blobs: they are in a folder or at the s3-endpoint, not in both")
    }
    func wanted(_ setting: Setting) throws(UsageError) -> String {
      guard let value = values[setting], !value.isEmpty else {
        throw UsageError("s3-endpoint needs \(setting.name)\(setting.isSecret ? ", by \(setting.variable)" : "")")
      }
      return value
    }
    var options = S3Options(
      endpoint: endpoint.hasSuffix("/") ? String(endpoint.dropLast()) : endpoint, region: try wanted(Self.region),
      bucket: try wanted(Self.bucket), accessKey: try wanted(Self.accessKey),
      secret: SecretKey(Array(try wanted(Self.secretKey).utf8)))
    guard options.isEndpoint else {
      throw UsageError("s3-endpoint: \(endpoint) is not https://HOST[:PORT] or http://HOST[:PORT]")
    }
    if let prefix = values[Self.prefix], !prefix.isEmpty {
      options.prefix = prefix.hasSuffix("/") ? prefix : prefix + "/"
    }
    options.certificates = values[Self.authority]
    self = .s3(options)
  }

  /// Opens the store. Whether S3 can be reached shows later.
  func open(clock: any WallClock, random: any RandomSource) async throws -> any BlobStore {
    switch self {
    case .folder(let path): try await FolderBlobStore.open(path: path)
    case .s3(let options): try S3BlobStore(options, clock: clock, random: random)
    }
  }

  /// For messages.
  var description: String {
    switch self {
    case .folder(let path): path
    case .s3(let options): options.description
    }
  }

  private static let endpoint = Setting(
    name: "s3-endpoint", placeholder: "URL", fallback: nil,
    help: "Keep contents in S3, or in a server that speaks its protocol, at https://HOST, instead of a folder.")
  private static let region = Setting(
    name: "s3-region", placeholder: "NAME", fallback: "us-east-1", help: "The region of the bucket.")
  private static let bucket = Setting(
    name: "s3-bucket", placeholder: "NAME", fallback: nil, help: "The bucket, which must exist.")
  private static let prefix = Setting(
    name: "s3-prefix", placeholder: "TEXT", fallback: nil,
    help: "Before all names in the bucket; one prefix belongs to one database.")
  private static let accessKey = Setting(
    name: "s3-access-key", placeholder: "ID", fallback: nil, help: "Who asks S3.")
  private static let secretKey = Setting(
    name: "s3-secret-key", placeholder: "KEY", fallback: nil,
    help: "The secret of --s3-access-key: by OCTET_S3_SECRET_KEY or in the file, never as a flag.", isSecret: true)
  private static let authority = Setting(
    name: "s3-ca", placeholder: "FILE", fallback: nil,
    help: "Certificates to trust at the endpoint, PEM, in place of the system's.")

  static let all = [endpoint, region, bucket, prefix, accessKey, secretKey, authority]
}
