import Testing

@testable import Base

@Suite struct ChildProgramTests {
  private func limits(time: Duration = .seconds(60), memory: Int = 1 << 30) -> ChildProgram.Limits {
    ChildProgram.Limits(time: time, processorSeconds: 60, memoryBytes: memory, fileBytes: 1000)
  }

  @Test func `a program gets its arguments as they are, and nothing of this process's environment`() async throws {
    let words = ["a b", "$HOME", "*", "'\"", "", "ü"]
    let outcome = try await ChildProgram.run("printf", ["%s|"] + words, limits: limits())
    #expect(outcome.status == 0 && !outcome.isTimedOut)
    #expect(String(decoding: outcome.output, as: UTF8.self) == words.map { $0 + "|" }.joined())
    let environment = try await ChildProgram.run("env", [], limits: limits())
    #expect(environment.output.split(separator: UInt8(ascii: "\n")).count == 3)
  }

  @Test func `the status and what was written to either output are told, up to the limit`() async throws {
    var limits = limits()
    limits.outputBytes = 10
    let failed = try await ChildProgram.run("ls", ["/nonexistent"], limits: limits)
    #expect(failed.status == 2 && failed.output.isEmpty && failed.errors.count == 10)
    let much = try await ChildProgram.run("head", ["-c", "1000000", "/dev/zero"], limits: limits)
    #expect(much.status == 0 && much.output == [UInt8](repeating: 0, count: 10))
    #expect(try await ChildProgram.run("no such program", [], limits: limits).status == 127)
  }

  @Test func `a program is killed when its time is over, and with the task that waits for it`() async throws {
    let late = try await ChildProgram.run("sleep", ["3600"], limits: limits(time: .milliseconds(50)))
    #expect(late.isTimedOut && late.status == 128 + 9)
    // One that closes its outputs and goes on.
    let silent = try await ChildProgram.run(
      "sh", ["-c", "exec >&- 2>&-; exec sleep 3600"], limits: limits(time: .milliseconds(50)))
    #expect(silent.isTimedOut && silent.status == 128 + 9)
    let task = Task { try await ChildProgram.run("sleep", ["3600"], limits: limits()) }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
  }

  @Test func `memory and files have their limits`() async throws {
    let large = try await ChildProgram.run(
      "dd", ["if=/dev/zero", "of=/dev/null", "bs=512M", "count=1"], limits: limits(memory: 256 << 20))
    #expect(large.status != 0)
    let file = try await ChildProgram.run(
      "sh", ["-c", "f=$(mktemp); head -c 2000 /dev/zero > $f; s=$?; rm $f; exit $s"], limits: limits())
    #expect(file.status != 0)
  }
}
