import Base
import Foundation
import Testing

@Suite struct OSThreadTests {
  @Test func `a body finds the name of its thread, as much of it as fits, however soon it runs`() {
    let names = Locked<Set<String>>([])
    for _ in 0..<1000 {
      let thread = OSThread(name: "sixteen-letters!") {
        let name = try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)
        names.withLock { _ = $0.insert(name ?? "none") }
      }
      thread.join()
    }
    #expect(names.withLock { $0 } == ["sixteen-letters\n"])
  }
}
