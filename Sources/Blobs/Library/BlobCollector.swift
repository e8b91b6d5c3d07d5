public import Base

/// Runs a library's collector in the background, at intervals that nodes do not share.
public final class BlobCollector: Sendable {
  private let library: BlobLibrary
  private let interval: Duration
  private let random: any RandomSource
  private let log: @Sendable (any Error) -> Void
  private let loop = BackgroundLoop()

  /// - Parameters:
  ///   - interval: between two runs, give or take a fifth.
  ///   - log: hears of runs that failed.
  public init(
    _ library: BlobLibrary, interval: Duration = .seconds(60), random: any RandomSource,
    log: @escaping @Sendable (any Error) -> Void
  ) {
    self.library = library
    self.interval = interval
    self.random = random
    self.log = log
  }

  /// Starts the runs.
  public func start() {
    loop.start { [self] in
      while !loop.isStopping {
        do {
          _ = try await library.collect()
        } catch {
          log(error)
        }
        await loop.pause(atMost: random.jittered(interval))
      }
    }
  }

  /// Ends the runs; one that is under way is finished first.
  public func stop() async { await loop.stop() }
}
