import Base

/// The bounds of the notify domain.
public struct NotifyLimits: Sendable {
  /// How long notices are kept. Their keys go with them.
  public var retention = Duration.seconds(90 * 86_400)
  /// Mails to one user a day (UTC): what goes wrong elsewhere must not fill a mailbox. Security and safety are beyond it.
  public var mailsPerDay: Int64 = 50
  /// Invitations to people without an account that one user sends a day (UTC): a stolen account must not fill strangers'
  /// mailboxes.
  public var invitationsPerDay: Int64 = 50
  /// Letters of one sort a day (UTC) to one address without an account, whoever sends them.
  public var outsideLettersPerDay: Int64 = 50
  /// Tries of a delivery without an answer that settles it.
  public var tries: Int64 = 8
  /// The wait after the first try; doubled with each further one. Eight tries take an hour.
  public var firstWait = Duration.seconds(30)
  /// Devices of one user that get push messages; of one more the oldest goes.
  public var devices = 20
  /// Users who are told something in one transaction: some milliseconds of the writer's time.
  public var toldAtOnce = 100
  /// Letters of one way that a node sends at the same time.
  public var lettersAtOnce = 16
  /// The longest wait between two tries of a letter whose words are not stored: codes are good for minutes.
  public var longestLetterWait = Duration.seconds(60)
  /// Notices that are swept away in one transaction.
  public var sweptAtOnce = 128
  /// Notices of a snapshot.
  public var shownInSnapshot = 50
  /// How long events of an inbox are kept for those who come back.
  public var eventRetention = Duration.seconds(7 * 86_400)

  public init() {}

  /// The wait after so many tries, before it is jittered.
  func wait(after tries: Int64) -> Duration { firstWait * (1 << (tries - 1)) }
}
