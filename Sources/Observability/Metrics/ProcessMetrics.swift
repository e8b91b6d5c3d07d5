internal import Base

/// What the process takes of the machine, in the names that Prometheus' own client libraries use.
public struct ProcessMetrics: MetricSource {
  public init() {}

  public func metrics() -> [MetricFamily] {
    let usage = ProcessUsage.now()
    return [
      MetricFamily(
        "process_cpu_seconds_total", .counter, "Processor time of all threads.",
        Double(usage.processorTime.inNanoseconds) / 1e9),
      MetricFamily("process_resident_memory_bytes", .gauge, "Resident memory.", usage.residentBytes),
      MetricFamily("process_virtual_memory_bytes", .gauge, "Address space.", usage.virtualBytes),
      MetricFamily("process_open_fds", .gauge, "Open descriptors.", usage.openDescriptors),
      MetricFamily("process_max_fds", .gauge, "Descriptors that may be open.", usage.maxDescriptors),
      MetricFamily("process_threads", .gauge, "Threads.", usage.threads),
      MetricFamily(
        "process_start_time_seconds", .gauge, "When the process began, in seconds since 1970.",
        Double(usage.began.nanoseconds) / 1e9),
    ]
  }
}
