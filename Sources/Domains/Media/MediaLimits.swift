import Base

/// The bounds of the media domain.
public struct MediaLimits: Sendable {
  /// Greatest length of one upload in bytes: a minute of film from a phone.
  public var uploadBytes: Int64 = 100 << 20
  /// Uploads that one user may begin in a day (UTC).
  public var uploadsPerDay: Int64 = 50
  /// An upload that gets no bytes for so long has expired: a night without a network is not the end.
  public var uploadIdle = Duration.seconds(86_400)
  /// How long the row of an upload in a final state tells what became of it.
  public var uploadKept = Duration.seconds(30 * 86_400)
  /// Greatest number of bytes that are taken before they are made durable and acknowledged: what a sender has to send
  /// again after a crash at most, beside what is on the way. Each time costs two synchronizations of files and a commit,
  /// so less would slow a fast sender down.
  public var unacknowledgedBytes: Int64 = 8 << 20
  /// Chunks of a stream that wait while others are made durable. With a chunk's mebibyte this is what an upload costs in
  /// memory, beside the window of its connection.
  public var waitingChunks = 4
  /// How often a stream asks whether the process that wrote the upload before has let go of it, and how long it waits in
  /// between: that one hears of its successor within a second.
  public var takeOverAttempts = 40
  public var takeOverPause = Duration.milliseconds(250)
  /// Things that a blob is part of that are looked at for one that the caller may see. A client that comes by one of more
  /// names it.
  public var subjectsTried = 64
  /// How long a signed URL is good if its caller does not say, and at most: whoever gets hold of one can use it for so
  /// long.
  public var linkLifetime = Duration.seconds(900)
  public var longestLink = Duration.seconds(3600)
  /// Rows that one transaction of a sweep or an erasure removes.
  public var removedAtOnce = 64

  public init() {}
}
