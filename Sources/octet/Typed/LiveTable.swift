import Base
import ProtobufRuntime

/// Rows that a stream keeps up to date: a snapshot, then each row that is new or has changed, and keys of those that are
/// gone. On a terminal a table that is redrawn in place, otherwise a line for each change.
struct LiveTable {
  /// What the rows of a method are.
  private struct Shape {
    /// The repeated field of the snapshot.
    let rows: String
    let key: String
    let columns: [(title: String, text: @Sendable (DynamicMessage) -> String)]
  }

  private static let shapes: [String: Shape] = [
    "octet.jobs.v1.JobService.WatchJobs": Shape(
      rows: "jobs", key: "key",
      columns: [
        ("KEY", { $0.text("key") }),
        ("STATE", { $0.enumName("state").replacing("JOB_STATE_", with: "") }),
        ("DUE", { $0.message("due_time")?.integer("seconds").map(ClockText.minute) ?? "-" }),
        ("TRIES", { String($0.integer("attempts") ?? 0) }),
        ("ERROR", { $0.text("error") }),
      ]),
    "octet.admin.v1.AdminService.WatchFlags": Shape(
      rows: "flags", key: "name",
      columns: [
        ("FLAG", { $0.text("name") }),
        ("VALUE", { value($0.message("value") ?? $0.message("default_value")) }),
        ("EXCEPTIONS", { String($0.messages("rules").count) }),
        ("PUT", { $0.message("put_time")?.integer("seconds").map(ClockText.minute) ?? "-" }),
      ]),
  ]

  private let shape: Shape
  private let pool: DescriptorPool
  private let type: String
  private let title: String

  /// - Returns: nil if the method streams no such table.
  init?(_ method: MethodDefinition, pool: DescriptorPool) {
    guard let shape = Self.shapes[method.fullName] else { return nil }
    self.shape = shape
    self.pool = pool
    type = method.outputType
    title = shape.rows.prefix(1).uppercased() + shape.rows.dropFirst()
  }

  /// A SettingValue in a word.
  private static func value(_ message: DynamicMessage?) -> String {
    guard let message else { return "-" }
    if let number = message.integer("boolean") { return number == 0 ? "false" : "true" }
    if let number = message.integer("integer") { return String(number) }
    if let money = message.message("money") {
      return "\(money.integer("minor_units") ?? 0) \(money.text("currency_code"))"
    }
    return message.text("text")
  }

  func run(_ runner: CallRunner, _ request: JSONText?) async throws {
    var (rows, isCut) = ([String: [String]](), false)
    var display = Terminal.isInteractive ? LiveDisplay() : nil
    try await runner.run(.objects([Array((request ?? .object([])).text.utf8)])) { bytes in
      guard let message = DynamicMessage(bytes, type: type, pool: pool) else { return }
      let lines = take(message, into: &rows)
      if let snapshot = message.message("snapshot") { isCut = snapshot.integer("is_cut") == 1 }
      if display != nil {
        display?.draw(picture(rows, isCut: isCut))
      } else {
        for line in lines { Output.print(line) }
      }
    }
  }

  /// - Returns: what has happened, in lines.
  private func take(_ message: DynamicMessage, into rows: inout [String: [String]]) -> [String] {
    if let snapshot = message.message("snapshot") {
      rows = [:]
      let lines = snapshot.messages(shape.rows).map { put($0, into: &rows) }
      return snapshot.integer("is_cut") == 1 ? lines + ["- there are more, which are not followed"] : lines
    }
    if let change = message.message("change") { return [put(change, into: &rows)] }
    let gone = message.type.field(named: "gone_key") == nil ? "" : message.text("gone_key")
    if !gone.isEmpty {
      rows[gone] = nil
      return [Terminal.plain("- \(gone)")]
    }
    return []
  }

  private func put(_ row: DynamicMessage, into rows: inout [String: [String]]) -> String {
    let cells = shape.columns.map { Terminal.plain($0.text(row)) }
    rows[row.text(shape.key)] = cells
    return (["+"] + cells).joined(separator: "  ").trimmingEnd
  }

  private func picture(_ rows: [String: [String]], isCut: Bool) -> [String] {
    let titles = shape.columns.map(\.title)
    let cells = [titles] + rows.sorted { $0.key < $1.key }.map(\.value)
    let widths = titles.indices.map { column in cells.map { Terminal.width($0[column]) }.max() ?? 0 }
    let lines = cells.map { row in
      zip(row, widths).map { $0 + String(repeating: " ", count: $1 - Terminal.width($0)) }
        .joined(separator: "  ").trimmingEnd
    }
    return ["\u{1b}[1m\(title)\u{1b}[0m  \(rows.count)\(isCut ? " of more" : "")"] + lines
  }
}
