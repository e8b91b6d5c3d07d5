import Base
import Glibc

/// A login that is kept between runs: which server, who, and the tokens. One file a profile, readable by its owner
/// only.
struct Profile {
  /// The target as it was given. Tokens go to this address and to no other.
  var address = ""
  var isPlaintext = false
  var caFile = ""
  /// Who is logged in, for people to read.
  var user = ""
  var accessToken = ""
  /// When the access token ends, in seconds since 1970.
  var accessExpiry: Int64 = 0
  var refreshToken = ""
  /// The request_id to refresh with. It is made together with the token, so that a refresh whose answer was lost is
  /// repeated instead of spending the token twice, which would end the session.
  var refreshRequestID = ""

  private var lines: [(key: String, value: String)] {
    [
      ("address", address), ("plaintext", isPlaintext ? "true" : ""), ("cacert", caFile), ("user", user),
      ("access-token", accessToken), ("access-expiry", String(accessExpiry)),
      ("refresh-token", refreshToken), ("refresh-request-id", refreshRequestID),
    ]
  }

  /// The file's text: a `key: value` on each line.
  var text: String {
    lines.filter { !$0.value.isEmpty }.map { "\($0.key): \($0.value)\n" }.joined()
  }

  init() {}

  init(text: String) {
    for line in text.split(separator: "\n") {
      guard let colon = line.firstRange(of: ": ") else { continue }
      let value = String(line[colon.upperBound...])
      switch line[..<colon.lowerBound] {
      case "address": address = value
      case "plaintext": isPlaintext = value == "true"
      case "cacert": caFile = value
      case "user": user = value
      case "access-token": accessToken = value
      case "access-expiry": accessExpiry = Int64(value) ?? 0
      case "refresh-token": refreshToken = value
      case "refresh-request-id": refreshRequestID = value
      default: break
      }
    }
  }
}

/// The folder of profiles: `OCTET_PROFILES`, or `~/.config/octet`.
struct ProfileStore {
  private let folder: String
  private let file: StoredText

  /// - Parameter name: letters, digits, `-`, `_` and `.`, because it becomes a file name.
  init(name: String, environment: Environment) throws(UsageError) {
    let isPlain = name.utf8.allSatisfy {
      ($0 | 0x20 >= UInt8(ascii: "a") && $0 | 0x20 <= UInt8(ascii: "z")) || (0x30...0x39).contains($0)
        || "-_.".utf8.contains($0)
    }
    guard isPlain, !name.isEmpty, name.first != "." else { throw UsageError("\(name) is no name for a profile") }
    if let folder = environment["OCTET_PROFILES"] {
      self.folder = folder
    } else if let base = environment["XDG_CONFIG_HOME"] {
      folder = base + "/octet"
    } else if let home = environment["HOME"] {
      folder = home + "/.config/octet"
    } else {
      throw UsageError("neither OCTET_PROFILES nor HOME says where profiles are")
    }
    file = StoredText(folder: folder, name: name + ".profile")
  }

  /// The stored profile; nil if there is none.
  func load() async throws -> Profile? { try await file.load().map(Profile.init(text:)) }

  /// Stores a profile in place of the one before, all of it or nothing.
  func save(_ profile: Profile) throws(LocalError) { try file.save(profile.text) }

  /// Forgets the profile.
  func remove() throws(LocalError) { try file.remove() }

  /// Waits until no other run changes the profile, and keeps others from it until the result goes away.
  func lock() async throws -> FileLock {
    let lock = try file.openLock()
    await lock.acquire()
    return lock
  }

  /// A file of an upload that is under way.
  /// - Parameter name: of letters and digits.
  func upload(_ name: String) -> StoredText { StoredText(folder: folder + "/uploads", name: name) }
}
