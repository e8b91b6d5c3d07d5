import Base

/// The bounds of the identity domain that an operator may choose.
public struct IdentityLimits: Sendable {
  /// Live sessions of a user; one more ends the oldest.
  public var sessions = 20
  /// Addresses of a user.
  public var addresses = 20
  /// How long a session that has ended is kept, with the device's name and the address: so that a user who asks finds what
  /// a thief did.
  public var endedSessionKept = Duration.seconds(30 * 86_400)
  /// Live credentials of a user's machines.
  public var credentials = 50
  /// Between two exports of one user.
  public var exportInterval = Duration.seconds(86_400)
  /// How long an archive is kept.
  public var exportKept = Duration.seconds(7 * 86_400)

  public init() {}
}
