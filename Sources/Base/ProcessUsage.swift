internal import CLinux
internal import Glibc

/// What this process takes of the machine, as the kernel counts it.
public struct ProcessUsage: Sendable {
  /// Resident memory in bytes.
  public var residentBytes = 0
  /// Address space in bytes.
  public var virtualBytes = 0
  /// Processor time of all threads, in user and system mode.
  public var processorTime = Duration.zero
  /// Descriptors that are open.
  public var openDescriptors = 0
  /// How many may be.
  public var maxDescriptors = 0
  public var threads = 0
  /// When the process began.
  public var began = Instant(nanoseconds: 0)

  /// Reads the present figures. What cannot be read stays 0: no process should fail over its own statistics.
  public static func now() -> ProcessUsage {
    var usage = ProcessUsage()
    // The name of the program, in parentheses, may hold anything; the fields behind it are numbers (proc(5)).
    let stat = text(of: "/proc/self/stat")
    if let end = stat.lastIndex(of: ")") {
      let fields = stat[stat.index(after: end)...].split(separator: " ").map { Int64($0) ?? 0 }
      // The third field of the file is the first here.
      if fields.count > 21 {
        let ticks = Int64(max(sysconf(Int32(_SC_CLK_TCK)), 1))
        usage.processorTime = .nanoseconds((fields[11] + fields[12]) * (1_000_000_000 / ticks))
        usage.threads = Int(fields[17])
        usage.began = Instant(seconds: bootTime()) + .nanoseconds(fields[19] * (1_000_000_000 / ticks))
        usage.virtualBytes = Int(fields[20])
        usage.residentBytes = Int(fields[21]) * Int(getpagesize())
      }
    }
    usage.openDescriptors = openDescriptorCount()
    var limit = rlimit()
    if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
      usage.maxDescriptors = Int(clamping: limit.rlim_cur)
    }
    return usage
  }

  private static func bootTime() -> Int64 {
    for line in text(of: "/proc/stat").split(separator: "\n") where line.hasPrefix("btime ") {
      return Int64(line.dropFirst(6)) ?? 0
    }
    return 0
  }

  private static func openDescriptorCount() -> Int {
    guard let folder = opendir("/proc/self/fd") else { return 0 }
    defer { closedir(folder) }
    var count = 0
    while readdir(folder) != nil { count += 1 }
    // Less `.`, `..` and the folder's own.
    return max(count - 3, 0)
  }

  private static func text(of path: String) -> String {
    let descriptor = octet_open(path, O_RDONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var text: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16 << 10)
    while true {
      let count = read(descriptor, &chunk, chunk.count)
      guard count > 0 else { break }
      text.append(contentsOf: chunk[..<count])
    }
    return String(decoding: text, as: UTF8.self)
  }
}
