import Foundation

/// A program of the system.
enum Command {
  struct Output: Sendable {
    let status: Int32
    let text: String
    let errors: String
  }

  /// Runs it to its end.
  static func run(_ name: String, _ arguments: [String], directory: String? = nil) throws -> Output {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [name] + arguments
    if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
    let output = Pipe()
    let errors = Pipe()
    process.standardOutput = output
    process.standardError = errors
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    let errorText = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return Output(status: process.terminationStatus, text: text, errors: errorText)
  }

  /// Whether the program is installed.
  static func exists(_ name: String) -> Bool {
    (try? run("which", [name]))?.status == 0
  }
}
