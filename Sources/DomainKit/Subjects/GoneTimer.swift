public import Base
public import Storage

/// Removes what a domain keeps about things that are gone: in small transactions after the one that deletes a thing, as
/// there may be millions of rows, and a minute later once more.
public struct GoneTimer: Sendable {
  /// The longest that a transaction takes which has begun to write when the thing was there still.
  private static let secondLook = Duration.seconds(60)
  private static let second = "second"

  private let kind: String
  private let timers: Timers
  private let clock: any WallClock

  /// - Parameter kind: of the timer, such as `media.gone`. Its key is the thing's printed id.
  public init(_ kind: String, timers: Timers, clock: any WallClock) {
    self.kind = kind
    self.timers = timers
    self.clock = clock
  }

  /// To be called in the transaction that deletes a thing. A repeat changes nothing.
  public func begin(with subject: SubjectID, in writer: any Writer) throws {
    try timers.set(kind, key: subject.text, due: clock.now(), in: writer)
  }

  /// Whether what hangs on a thing is being removed by the timer of a kind.
  public static func isUnderWay(_ kind: String, with subject: SubjectID, in reader: any Reader) throws -> Bool {
    try reader.exists(
      "SELECT 1 FROM octet_timers WHERE kind = $1 AND key IN ($2, $3)", kind, subject.text,
      "\(subject.text)/\(second)")
  }

  /// Says what to do. Before the timers are started.
  /// - Parameters:
  ///   - removeSome: removes some of what hangs on a thing; returns whether there was anything.
  ///   - finish: removes what must go last.
  public func handle(
    _ removeSome: @escaping @Sendable (SubjectID, any Writer) throws -> Bool,
    finally finish: @escaping @Sendable (SubjectID, any Writer) throws -> Void = { _, _ in }
  ) {
    timers.handle(kind) { writer, timer in
      let words = timer.key.split(separator: "/")
      guard let subject = words.first.flatMap({ SubjectID(parsing: String($0)) }) else { return }
      if try removeSome(subject, writer) {
        try timers.set(kind, key: timer.key, due: clock.now(), in: writer)
      } else if words.count == 1 {
        // What was written meanwhile, by whoever had seen the thing before.
        try timers.set(
          kind, key: "\(subject.text)/\(Self.second)", due: clock.now() + Self.secondLook, in: writer)
      } else {
        try finish(subject, writer)
      }
    }
  }
}
