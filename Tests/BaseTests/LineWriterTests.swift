import Base
import Glibc
import Testing

@Suite struct LineWriterTests {
  private func pipeEnds() -> (read: Int32, write: Int32) {
    var pair: [Int32] = [0, 0]
    #expect(pipe(&pair) == 0)
    return (pair[0], pair[1])
  }

  @Test func `writes every line in order, several in one write up to the size`() {
    let (reading, writing) = pipeEnds()
    let writer = LineWriter<Int>(name: "test", descriptor: writing, limit: 1000, bytesPerWrite: 64) { "line \($0)" }
    for number in 0..<1000 { writer.write(number) }
    writer.close()
    close(writing)
    var text: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = read(reading, &chunk, chunk.count)
      guard count > 0 else { break }
      text += chunk.prefix(count)
    }
    close(reading)
    #expect(String(decoding: text, as: UTF8.self) == (0..<1000).map { "line \($0)\n" }.joined())
    #expect(writer.dropped == 0)
  }

  @Test func `drops and counts what comes too late or cannot be written`() {
    let (reading, writing) = pipeEnds()
    close(reading)
    // A program that another test is about to start has this end, too, for a moment.
    var end = pollfd(fd: writing, events: 0, revents: 0)
    while poll(&end, 1, 1000) < 1 {}
    let writer = LineWriter<Int>(name: "test", descriptor: writing, limit: 10, bytesPerWrite: 4096) { "\($0)" }
    writer.write(1)
    writer.close()
    #expect(writer.dropped == 1)
    writer.write(2)
    #expect(writer.dropped == 2)
    close(writing)
  }
}

@Suite struct ProcessUsageTests {
  @Test func `tells what the process takes`() {
    let before = ProcessUsage.now()
    #expect(before.residentBytes > 1 << 20 && before.virtualBytes >= before.residentBytes)
    #expect(before.threads >= 1 && before.openDescriptors >= 3 && before.maxDescriptors >= before.openDescriptors)
    let now = SystemClock().now()
    #expect(before.began <= now && before.began > now - .seconds(86_400))
    // Other tests open and close descriptors at the same time, hundreds of them; these are seen in any case.
    let held = (0..<100).map { _ in dup(0) }
    #expect(ProcessUsage.now().openDescriptors >= held.count)
    for descriptor in held { close(descriptor) }
    #expect(ProcessUsage.now().processorTime >= before.processorTime)
  }
}
