/// How much a stream may hold of what is on its way out. One pair of marks for all transports, because the core and
/// the transport must agree on them.
public enum StreamWaterMarks {
  /// The core stops writing above this. Large enough to keep a fast connection busy for a tick of its event loop.
  public static let high = 64 << 10
  /// A transport calls `drained` when the queue has fallen to this. Far below `high`, so that a writer wakes up for a
  /// good piece of work.
  public static let low = 16 << 10
}
