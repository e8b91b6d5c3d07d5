/// How a SQLite database is used. The defaults suit a server that has the machine to itself.
public struct SQLiteOptions: Sendable {
  /// Threads with a connection each for reading.
  public var readers = 2

  /// The page cache of the writer. Only what is used is allocated.
  public var writerCacheMiB = 256

  /// The page cache of each reader.
  public var readerCacheMiB = 64

  /// Pages of 4 KiB in the write-ahead log that start a checkpoint. 40 MiB by default: rare enough that a page that
  /// changes often is copied once for many changes.
  public var checkpointPages = 10_000

  /// Whether a database that was not closed is looked through before it is used. Takes time in proportion to its
  /// size; damage is found by the checks of each page otherwise, but later.
  public var checksAfterCrash = true

  /// How long a connection waits for a lock of another program before it reports `.busy`.
  public var busyMilliseconds = SQLiteLimits.busyMilliseconds

  /// Runs every write body once in vain before it counts, so that a test finds bodies that cannot be repeated.
  public var runsBodiesTwice = false

  /// The name of the SQLite VFS to go through, which must be registered; nil for the operating system's. Tests make the
  /// disk fail with it.
  public var system: String?

  public init() {}

  // page_size counts only for a new file, and comes before WAL mode fixes it. synchronous must be set per connection.
  var writerSettings: [String] {
    [
      "PRAGMA page_size = 4096",
      "PRAGMA journal_mode = WAL",
      "PRAGMA foreign_keys = ON",
      // What is deleted is overwritten with zeros. Debian's SQLite does so without being told.
      "PRAGMA secure_delete = ON",
      "PRAGMA cache_size = -\(writerCacheMiB * 1024)",
      "PRAGMA wal_autocheckpoint = 0",
    ] + commonSettings
  }

  var readerSettings: [String] {
    ["PRAGMA query_only = ON", "PRAGMA cache_size = -\(readerCacheMiB * 1024)"] + commonSettings
  }

  var checkpointSettings: [String] { commonSettings }

  /// For a connection that reads every page once.
  var copySettings: [String] { ["PRAGMA query_only = ON"] + commonSettings }

  private var commonSettings: [String] {
    [
      "PRAGMA busy_timeout = \(busyMilliseconds)",
      "PRAGMA synchronous = FULL",
      "PRAGMA mmap_size = 0",
      "PRAGMA temp_store = MEMORY",
    ]
  }
}
