import Base
import Storage

/// Slows down those who guess passwords, without locking an owner out.
///
/// Failures are counted per name and device: each device that the account has been used on has its own count, all
/// others share one. Names that nobody has are counted like those that somebody has. An attempt counts as failed from
/// its beginning, so that many attempts at once are not as many free guesses; success takes it back.
struct LoginThrottle: Sendable {
  /// From the fifth failure on, attempts must answer a challenge, or where there is none keep a distance.
  static let slowAfter = 5
  /// The distance.
  static let pause = Duration.seconds(30)
  /// From the tenth failure on, unknown devices are barred for this long.
  static let barAfter = 10
  static let bar = Duration.seconds(15 * 60)
  /// How many outdated counts each attempt removes: more than the one that it may add, so that the table stays small.
  private static let sweepSize = 10

  /// What becomes of an attempt.
  enum Admission: Sendable, Equatable {
    /// It may go on, and was counted.
    case admitted
    /// It must answer a challenge first.
    case challenged
    /// It must wait.
    case refused(Duration)
  }

  /// A keyed hash of the name.
  let name: [UInt8]
  /// A device that the account has been used on; nil for all others.
  let knownDevice: Identifier?

  /// Counts an attempt.
  /// - Parameter answers: whether it answers a challenge; asked only if it has to, and nil if there is none to answer.
  func begin(now: Instant, answers: (() throws -> Bool)?, in writer: any Writer) throws -> Admission {
    try sweep(now: now, in: writer)
    // There must be a row to hold, or many first attempts at once would all count as the first.
    try writer.execute(
      """
      INSERT INTO identity_login_failures (name_hash, device_id, failures, last_at) VALUES ($1, $2, 0, $3)
      ON CONFLICT DO NOTHING
      """, name, device, now)
    let counted: (failures: Int, lastAt: Instant)? = try writer.firstForUpdate(
      "SELECT failures, last_at FROM identity_login_failures WHERE name_hash = $1 AND device_id = $2", name, device
    ) { ($0[0], $0[1]) }
    var failures = 0
    if let counted, now - counted.lastAt < Self.bar {
      failures = counted.failures
      if failures >= Self.barAfter && knownDevice == nil { return .refused(counted.lastAt + Self.bar - now) }
      if failures >= Self.slowAfter {
        if let answers {
          guard try answers() else { return .challenged }
        } else if now - counted.lastAt < Self.pause {
          return .refused(counted.lastAt + Self.pause - now)
        }
      }
    }
    try writer.execute(
      "UPDATE identity_login_failures SET failures = $3, last_at = $4 WHERE name_hash = $1 AND device_id = $2", name,
      device, failures + 1, now)
    return .admitted
  }

  /// Forgets the failures: the password was right.
  func succeed(in writer: any Writer) throws {
    try writer.execute(
      "DELETE FROM identity_login_failures WHERE name_hash = $1 AND device_id = $2", name, device)
  }

  private var device: Identifier { knownDevice ?? Identifier(rawValue: 0) }

  private func sweep(now: Instant, in writer: any Writer) throws {
    try writer.execute(
      """
      DELETE FROM identity_login_failures WHERE (name_hash, device_id) IN (
        SELECT name_hash, device_id FROM identity_login_failures WHERE last_at < $1 ORDER BY last_at LIMIT $2)
      """, now - Self.bar, Self.sweepSize)
  }
}
