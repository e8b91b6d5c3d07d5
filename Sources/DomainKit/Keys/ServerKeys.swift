public import Cryptography

/// The keys of one installation, all derived from one root. Nodes that share a database share the root.
public struct ServerKeys: Sendable {
  /// The length of the root.
  public static let rootLength = SecretKey.standardLength

  /// Signs access tokens.
  let accessSigning: SigningKey
  private let root: SecretKey
  private let pages: SecretKey
  private let requests: SecretKey
  private let clients: SecretKey

  /// - Parameter root: `rootLength` bytes.
  /// - Throws: `CryptographyError.wrongLength`.
  public init(root: SecretKey) throws(CryptographyError) {
    guard root.count == Self.rootLength else { throw .wrongLength }
    self.root = root
    accessSigning = try SigningKey(seed: root.derived(for: "octet access tokens 1"))
    pages = root.derived(for: "octet page tokens 1")
    requests = root.derived(for: "octet request hashes 1")
    clients = root.derived(for: "octet clients of public methods 1")
  }

  /// A key for one purpose of a domain, such as `rides PINs 1`. The number rises when what the key is used for changes.
  /// Deriving costs some microseconds and guarded memory: do it once, not per call.
  public func derived(for purpose: String) -> SecretKey {
    root.derived(for: "octet domain: " + purpose)
  }

  /// Tells whether two nodes have the same root, and nothing about it.
  public var fingerprint: [UInt8] {
    Hash.blake2b(Array("octet root key".utf8), key: root.derived(for: "octet fingerprint 1"), length: 16)
  }

  /// What a stored request is compared by. Keyed, because requests hold passwords: from a plain hash in a stolen
  /// database they could be guessed a billion times a second.
  public func requestHash(_ request: [UInt8]) -> [UInt8] {
    Hash.blake2b(request, key: requests, length: 16)
  }

  func clientHash(_ client: [UInt8]) -> [UInt8] {
    Hash.blake2b(client, key: clients, length: 16)
  }

  func pageMAC(_ bytes: [UInt8]) -> [UInt8] {
    Hash.blake2b(bytes, key: pages, length: 16)
  }
}
