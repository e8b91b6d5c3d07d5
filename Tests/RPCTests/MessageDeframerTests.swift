import Base
import Testing

@testable import RPC

struct MessageDeframerTests {
  private func frame(_ payload: [UInt8], flag: UInt8 = 0) -> [UInt8] {
    let length = payload.count
    return [flag, UInt8(length >> 24), UInt8(length >> 16 & 255), UInt8(length >> 8 & 255), UInt8(length & 255)]
      + payload
  }

  private func drain(_ deframer: inout MessageDeframer) throws -> [[UInt8]] {
    var messages: [[UInt8]] = []
    while let frame = try deframer.next() { messages.append(Array(deframer.buffer[frame.payload])) }
    return messages
  }

  @Test func cutsMessagesWhereverTheBytesAreCut() throws {
    let messages: [[UInt8]] = [[], [1], Array(repeating: 7, count: 300), [], [2, 3]]
    let bytes = messages.flatMap { frame($0) }
    for size in 1...bytes.count {
      var deframer = MessageDeframer(limit: 1000)
      var found: [[UInt8]] = []
      for start in stride(from: 0, to: bytes.count, by: size) {
        deframer.append(bytes.span.extracting(start..<min(start + size, bytes.count)))
        found += try drain(&deframer)
      }
      #expect(found == messages)
      try deframer.finish()
    }
  }

  @Test func freesALargeBufferWhenItIsEmpty() throws {
    var deframer = MessageDeframer(limit: 100_000)
    deframer.append(frame(Array(repeating: 1, count: 50_000)).span)
    deframer.release(above: 100)
    let found = try #require(try deframer.next())
    #expect(found.payload.count == 50_000)
    deframer.release(above: 100_000)
    #expect(deframer.buffer.capacity >= 50_000)
    deframer.release(above: 49_999)
    #expect(deframer.buffer.capacity == 0)
    deframer.append(frame([1, 2]).span)
    #expect(try drain(&deframer) == [[1, 2]])
  }

  @Test func refusesALongMessageAtItsPrefix() throws {
    var deframer = MessageDeframer(limit: 10)
    deframer.append(frame([1]).span)
    let prefix: [UInt8] = [0, 0xff, 0xff, 0xff, 0xff]
    deframer.append(prefix.span)
    _ = try deframer.next()
    #expect(throws: FramingError.tooLarge(length: 0xffff_ffff, limit: 10)) { () throws in _ = try deframer.next() }
    #expect(FramingError.tooLarge(length: 11, limit: 10).rpcError.code == .resourceExhausted)
  }

  @Test func acceptsExactlyTheLimit() throws {
    var deframer = MessageDeframer(limit: 10)
    deframer.append(frame(Array(0..<10)).span)
    let messages = try drain(&deframer)
    #expect(messages == [Array(0..<10)])
  }

  @Test func refusesAnInvalidFlag() {
    var deframer = MessageDeframer(limit: 10)
    deframer.append(frame([], flag: 2).span)
    #expect(throws: FramingError.invalidFlag) { () throws in _ = try deframer.next() }
  }

  @Test func noticesATruncatedEnd() {
    var deframer = MessageDeframer(limit: 10)
    deframer.append(Array(frame([1, 2]).dropLast()).span)
    #expect(throws: FramingError.truncated) { try deframer.finish() }
  }

  @Test func marksCompressedMessages() throws {
    var deframer = MessageDeframer(limit: 10)
    deframer.append(frame([1], flag: 1).span)
    let frame = try deframer.next()
    #expect(frame?.isCompressed == true)
  }

  @Test func findsASoleMessageWithoutCopying() {
    #expect(soleMessage(frame([1, 2])) == 5..<7)
    #expect(soleMessage(frame([1]) + frame([2])) == nil)
    #expect(soleMessage(Array(frame([1, 2]).dropLast())) == nil)
    #expect(soleMessage(frame([1], flag: 1)) == nil)
    #expect(soleMessage(frame(Array(0..<11))) == nil)
  }

  private func soleMessage(_ bytes: [UInt8]) -> Range<Int>? {
    MessageDeframer(limit: 10).soleMessage(in: bytes.span)
  }

  @Test func survivesRandomBytes() {
    let random = SeededRandomSource(seed: 7)
    for _ in 0..<2000 {
      var deframer = MessageDeframer(limit: 64)
      for _ in 0..<4 { deframer.append(random.bytes(Int(random.below(20))).span) }
      while (try? deframer.next()) ?? nil != nil {}
    }
  }

  @Test func freesGreatBuffers() throws {
    var deframer = MessageDeframer(limit: 1 << 20)
    deframer.append(frame(Array(repeating: 1, count: 1 << 20)).span)
    _ = try deframer.next()
    deframer.append([UInt8]().span)
    #expect(deframer.buffer.capacity < 1 << 20)
  }
}
