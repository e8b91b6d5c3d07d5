import Base
import Cryptography
import DomainKit

/// The built-in challenge: find a text whose SHA-256 hash begins with a number of bits 0 (the cost function of Back:
/// "Hashcash", 2002, with the server choosing what is hashed). The server keeps nothing until it is solved: the token
/// says what it was made for, and proves who made it.
///
/// Token: `oc1.CONTENT.MAC`. The content is a random id of 16 octets, a hash of what the challenge is bound to, 16 octets,
/// the number of bits, one octet, and the expiry in nanoseconds, 8 octets.
struct ProofOfWork: ChallengeHook {
  /// The easiest takes a processor about a tenth of a second; the hardest is 64 times as hard.
  static let easiest = 18

  private static let prefix = "oc1."
  private static let idLength = 16
  private static let boundLength = 16
  private static let contentLength = idLength + boundLength + 1 + 8
  /// Of what follows the token: letters and digits enough to count every try.
  private static let answerLengths = 1...64
  /// Longer than any solution; more is not even looked at.
  private static let solutionLimit = 256

  private let key: SecretKey
  private let random: any RandomSource
  private let easiest: Int

  init(keys: ServerKeys, random: any RandomSource, easiest: Int = Self.easiest) {
    key = keys.derived(for: "identity challenges 1")
    self.random = random
    self.easiest = easiest
  }

  func issue(for subject: ChallengeSubject, effort: Int, expiresAt: Instant) -> IssuedChallenge {
    let bits = easiest + min(effort, ChallengeSubject.greatestEffort)
    let content =
      random.bytes(Self.idLength) + bound(to: subject) + [UInt8(bits)] + expiresAt.nanoseconds.bigEndianBytes
    return IssuedChallenge(
      algorithm: "sha256", token: ProvedText.proved(ProvedText.unproved(content, prefix: Self.prefix), key: key),
      zeroBits: bits, expiresAt: expiresAt)
  }

  func check(_ solution: String, for subject: ChallengeSubject, now: Instant) -> SolvedChallenge? {
    let octets = Array(solution.utf8)
    guard octets.count <= Self.solutionLimit, let colon = octets.lastIndex(of: UInt8(ascii: ":")) else { return nil }
    let answer = octets[(colon + 1)...]
    guard Self.answerLengths.contains(answer.count), answer.allSatisfy(Self.isLetterOrDigit),
      let content = ProvedText.content(
        of: String(decoding: octets[..<colon], as: UTF8.self), prefix: Self.prefix, key: key),
      content.count == Self.contentLength
    else { return nil }
    let expiresAt = Instant(nanoseconds: Int64(bigEndian: content.suffix(8)))
    let bits = Int(content[Self.idLength + Self.boundLength])
    guard now < expiresAt,
      isEqualInConstantTime(Array(content[Self.idLength...].prefix(Self.boundLength)), bound(to: subject)),
      Self.leadingZeroBits(of: Hash.sha256(octets)) >= bits
    else { return nil }
    return SolvedChallenge(id: Array(content.prefix(Self.idLength)), expiresAt: expiresAt)
  }

  /// How many bits 0 some octets begin with.
  static func leadingZeroBits(of octets: [UInt8]) -> Int {
    guard let first = octets.firstIndex(where: { $0 != 0 }) else { return 8 * octets.count }
    return 8 * first + octets[first].leadingZeroBitCount
  }

  private func bound(to subject: ChallengeSubject) -> [UInt8] {
    let method = Array(subject.method.utf8)
    return Hash.blake2b(
      Int64(method.count).bigEndianBytes + method + subject.client, key: key, length: Self.boundLength)
  }

  private static func isLetterOrDigit(_ octet: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(octet)
      || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(octet | 0x20)
  }
}
