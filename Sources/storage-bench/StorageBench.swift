import Base
import BlobsS3
import Cryptography
import FoundationEssentials
import Storage
import StoragePostgreSQL
import StorageSQLite
import Streaming
import TransactionShapes

/// Measures the storage layer, and lets itself be killed for the test of durability.
///
///     storage-bench orders --callers 256 --seconds 5 --rows 0 --path /data/bench.db
///     storage-bench orders --rate 30000 --swept 1000000 --path /data/bench.db
///     storage-bench transfers --callers 256 --rate 5000 --requests v4 --keeping forever --cache 64 --path /data/bench.db
///     storage-bench hot --callers 64 --ways both --accounts 2 --path postgres://…
///     storage-bench fanout --subscribers 1000 --events 2000 --path /data/bench.db
///     storage-bench upkeep --rows 1000000 --path /data/bench.db
///     storage-bench search --documents 1000000 --path /data/search.db
///     storage-bench corpus --documents 1000000 --queries 100
///     storage-bench crash --path /data/crash.db
///     storage-bench blobs --megabytes 512 --path /data/blobs
///     storage-bench blob-crash --callers 8 --path /data/crash [--database postgres://…] [--s3-endpoint URL --s3-bucket NAME
///       --s3-access-key ID --s3-prefix P/]
///     storage-bench blob-death --when before|after --path /data/crash
///     storage-bench blob-full --path /small/blobs
@main
struct StorageBench {
  static func main() async throws {
    var arguments = Arguments(CommandLine.arguments.dropFirst())
    switch arguments.takeCommand() {
    case "orders":
      try await arguments.transactions().run { OrderShape($0) }
    case "transfers":
      let requests = TransferShape.Requests(rawValue: arguments.take("requests") ?? "v7") ?? .timeOrdered
      let keeping: RequestKeeping = arguments.take("keeping") == "forever" ? .forever : .retention
      try await arguments.transactions().run { _ in TransferShape(requests: requests, keeping: keeping) }
    case "hot":
      let goesBothWays = arguments.take("ways") == "both"
      let accounts = arguments.takeNumber("accounts") ?? 2
      try await arguments.transactions().run { _ in HotShape(goesBothWays: goesBothWays, accounts: accounts) }
    case "fanout":
      try await FanOutBenchmark(
        path: arguments.take("path") ?? "bench.db", subscribers: arguments.takeNumber("subscribers") ?? 1000,
        events: arguments.takeNumber("events") ?? 2000
      ).run()
    case "search":
      try await SearchBenchmark(
        path: arguments.take("path") ?? "search.db", documents: arguments.takeNumber("documents") ?? 1_000_000,
        queries: arguments.takeNumber("queries") ?? 300, seconds: arguments.takeNumber("seconds") ?? 5,
        isPeer: arguments.take("peer") == "yes", longestP99: arguments.takeNumber("longest-p99")
      ).run()
    case "corpus":
      SearchCorpus().print(
        documents: arguments.takeNumber("documents") ?? 0, queries: arguments.takeNumber("queries") ?? 0)
    case "crash":
      try await CrashWriter(path: arguments.take("path") ?? "crash.db", callers: arguments.takeNumber("callers") ?? 32)
        .run()
    case "blobs":
      try await BlobBenchmark(
        path: arguments.take("path") ?? "bench-blobs", megabytes: arguments.takeNumber("megabytes") ?? 512
      ).run()
    case "blob-crash":
      let path = arguments.take("path") ?? "crash"
      try await BlobCrashWriter(
        database: arguments.take("database") ?? path + "/octet.db", folder: path + "/store", bucket: arguments.bucket(),
        callers: arguments.takeNumber("callers") ?? 8
      ).run()
    case "blob-death":
      try await BlobDeath(path: arguments.take("path") ?? "crash", isAfter: arguments.take("when") == "after").run()
    case "blob-full":
      try await BlobDiskFiller(path: arguments.take("path") ?? "full").run()
    case "jobs":
      try await JobWorker(path: arguments.take("path") ?? "jobs.db").run()
    case "upkeep":
      try await UpkeepBenchmark(
        path: arguments.take("path") ?? "bench.db", rows: arguments.takeNumber("rows") ?? 1_000_000,
        seconds: arguments.takeNumber("seconds") ?? 10
      ).run()
    default:
      print(
        """
        usage: storage-bench orders|transfers|hot|fanout|upkeep|search|corpus|crash|jobs|blobs|blob-crash|blob-death|blob-full
          [--path FILE]
          [--callers N] [--seconds N] [--rows N] [--rounds N] [--rate N] [--cache MIB] [--checkpoint PAGES] [--writers N] [--batch N]
          [--requests v7|v4] [--keeping retention|forever] [--ways one|both] [--accounts N] [--subscribers N] [--events N]
          [--megabytes N] [--documents N] [--queries N] [--peer yes] [--longest-p99 MS] [--when before|after] [--swept N]
          [--forget ask]
          [--database URL] [--s3-endpoint URL --s3-bucket NAME --s3-access-key ID --s3-prefix P/], with OCTET_S3_SECRET_KEY
        """
      )
    }
  }
}

/// A command followed by `--name value` pairs.
struct Arguments {
  private var rest: [String]

  init(_ arguments: some Sequence<String>) {
    rest = Array(arguments)
  }

  mutating func takeCommand() -> String {
    rest.isEmpty ? "" : rest.removeFirst()
  }

  mutating func take(_ name: String) -> String? {
    guard let index = rest.firstIndex(of: "--" + name), index + 1 < rest.count else { return nil }
    defer { rest.removeSubrange(index...(index + 1)) }
    return rest[index + 1]
  }

  /// What the benchmarks of transactions have in common.
  mutating func transactions() -> TransactionBenchmark {
    var postgreSQL = PostgreSQLOptions()
    postgreSQL.writers = takeNumber("writers") ?? postgreSQL.writers
    postgreSQL.transactionsPerCommit = takeNumber("batch") ?? postgreSQL.transactionsPerCommit
    return TransactionBenchmark(
      path: take("path") ?? "bench.db", callers: takeNumber("callers") ?? 256, seconds: takeNumber("seconds") ?? 5,
      rows: takeNumber("rows") ?? 0, rounds: takeNumber("rounds") ?? 1, rate: takeNumber("rate"),
      cacheMiB: takeNumber("cache") ?? 256,
      checkpointPages: takeNumber("checkpoint") ?? SQLiteOptions().checkpointPages,
      swept: takeNumber("swept") ?? 0, asksToForget: take("forget") == "ask", postgreSQL: postgreSQL)
  }

  /// A bucket in place of a folder; nil if none is named.
  mutating func bucket() -> S3Options? {
    guard let endpoint = take("s3-endpoint"), let bucket = take("s3-bucket"), let accessKey = take("s3-access-key"),
      let secret = ProcessInfo.processInfo.environment["OCTET_S3_SECRET_KEY"]
    else { return nil }
    var options = S3Options(
      endpoint: endpoint, region: "us-east-1", bucket: bucket, accessKey: accessKey,
      secret: SecretKey(Array(secret.utf8)))
    options.prefix = take("s3-prefix") ?? ""
    options.partBytes = 5 << 20
    return options
  }

  mutating func takeNumber(_ name: String) -> Int? {
    take(name).flatMap { Int($0) }
  }
}
