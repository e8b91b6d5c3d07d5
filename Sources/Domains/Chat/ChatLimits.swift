import Base
public import DomainKit

/// The bounds of the chat domain.
public struct ChatLimits: Sendable {
  /// The longest post in code points.
  public var textLength = 2000
  /// What can go with a message.
  public var files = FileRules([.file, .image, .video, .audio], longest: 25 << 20, field: "upload_ids")
  /// The least time between two posts of one person beside a live stream, unless its room was given rules of its own.
  public var liveSlowMode = Duration.seconds(1)
  /// The least time between two frames with hearts of one user: a client gathers those of a second.
  public var heartInterval = Duration.seconds(1)
  /// How long a stream is silent of hearts and answers to polls after it has told some: nobody reads faster, and of what comes
  /// meanwhile the newest is told.
  public var countRest = Duration.milliseconds(250)
  /// Polls whose answers a stream tells at once, and whoever comes back is told of: as many as the messages that a client begins
  /// with.
  public var polls = 50
  /// How long a poll can be open that closes by itself.
  public var longestPoll = Duration.seconds(86_400)
  /// Members of a room.
  public var members: Int64 = 500
  /// People who have posted beside one live stream.
  public var livePosters: Int64 = 1_000_000
  /// Messages that a client which joins gets.
  public var tail = 50
  /// How long nobody says anything in a support room before it closes by itself.
  public var supportSilence = Duration.seconds(7 * 86_400)
  /// How long staff have a support room that they took, from their last post on.
  public var take = Duration.seconds(900)
  /// Support rooms of one user: one for each thing there is a question about.
  public var supportRooms: Int64 = 200
  /// How long somebody counts as being on a stream without a sign of life from the stream's node. Signs of life come
  /// three times in that time.
  public var presence = Duration.seconds(180)
  /// How long a room's events are kept for those who come back.
  public var eventRetention = Duration.seconds(7 * 86_400)
  /// Rows that one transaction of upkeep changes.
  public var sweptAtOnce = 128

  public init() {}
}
