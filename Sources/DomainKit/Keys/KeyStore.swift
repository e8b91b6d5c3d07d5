import Base
import Cryptography

/// Keeps the root key in the data folder, in a file that only the server's user may read.
public enum KeyStore {
  /// The file's name within the data folder.
  public static let fileName = "root.key"

  private static let header = "octet root key 1\n"

  /// The keys of the installation whose data lies in `folder`, which must exist. The first start makes the root key;
  /// of two processes that start at once, both get the same. Whoever loses the file loses all sessions and every
  /// sealed contact, so it belongs into the backup, apart from the database.
  /// - Throws: `SecretFileError`, `KeyStoreError`.
  public static func open(folder: String) throws -> ServerKeys {
    let path = folder + "/" + fileName
    if let content = try SecretFile.read(path) { return try parse(content) }
    var root = RandomBytes.make(ServerKeys.rootLength)
    defer { wipe(&root) }
    if try SecretFile.create(path, Array((header + hex(root) + "\n").utf8)) {
      return try ServerKeys(root: SecretKey(root))
    }
    guard let content = try SecretFile.read(path) else { throw KeyStoreError.malformed }
    return try parse(content)
  }

  private static func parse(_ content: [UInt8]) throws -> ServerKeys {
    guard let text = String(validating: content, as: UTF8.self), text.hasPrefix(header), text.hasSuffix("\n") else {
      throw KeyStoreError.malformed
    }
    let digits = Array(text.utf8.dropFirst(header.utf8.count).dropLast())
    guard digits.count == 2 * ServerKeys.rootLength else { throw KeyStoreError.malformed }
    var root: [UInt8] = []
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let byte = UInt8(String(decoding: digits[index...index + 1], as: UTF8.self), radix: 16) else {
        throw KeyStoreError.malformed
      }
      root.append(byte)
    }
    defer { wipe(&root) }
    return try ServerKeys(root: SecretKey(root))
  }

  private static func hex(_ bytes: [UInt8]) -> String {
    bytes.map { String($0, radix: 16, width: 2) }.joined()
  }
}

/// Why the file of the root key cannot be used.
public enum KeyStoreError: Error, Equatable, CustomStringConvertible {
  /// It is not what this program writes. It is never overwritten.
  case malformed

  public var description: String { "\(KeyStore.fileName) is not a root key; restore it from the backup" }
}
