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
  /// A slow reader may be at a blob for hours: whether it may still see it is asked so often, beside when something becomes
  /// hidden.
  public var sightInterval = Duration.seconds(5)
  /// Pixels of a picture: 50 megapixels is what good cameras give, and takes 200 MB when it is decoded.
  public var imagePixels = 50_000_000
  /// Pixels of a frame of a film: 4K and a bit, in any format.
  public var filmPixels = 10_000_000
  /// The longest film, and what is let pass beyond: a camera asked for a minute gives a few frames more.
  public var filmDuration = Duration.seconds(60)
  public var filmTolerance = Duration.milliseconds(500)
  /// The longest sound: a long song. It is decoded faster than a film of a minute.
  public var soundDuration = Duration.seconds(600)
  /// What a program that looks at a file or makes a rendition may use: some minutes of two processors for the longest film
  /// on a slow machine, and memory for 4K.
  public var processingTime = Duration.seconds(600)
  public var processingSeconds = 900
  public var processingMemory = 3 << 30
  /// Greatest rendition in bytes: a minute at the greatest bit rate, twice over. It is read into memory when it is stored.
  public var renditionBytes = 64 << 20
  /// What ffprobe may say, in bytes: a line for each packet of a minute at 120 frames a second, and some more.
  public var probedBytes = 1 << 20
  /// The same for a sound whose packets have to be counted: a line of 20 bytes for each of the shortest ones that there
  /// are, 2.5 ms, in the longest sound, and a half more.
  public var probedSoundBytes = 8 << 20
  /// Attempts at a job that fails for reasons of the server's.
  public var processingAttempts = 5
  /// Jobs of a kind that a node does at once.
  public var jobsAtOnce = 2
  /// Rows that one transaction of a sweep or an erasure removes.
  public var removedAtOnce = 64

  public init() {}
}
