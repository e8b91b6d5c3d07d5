import BenchAPI
import ProtobufRuntime
import RoundTripAPI
import WellKnownTypes

/// Times the codec: nanoseconds for each decoding and each encoding of a few typical messages.
enum Measurement {
  private static let rounds = 200_000

  static func run() throws {
    var echo = EchoRequest()
    echo.payload = [UInt8](repeating: 0x78, count: 32)
    echo.tag = "0123456789ab"
    try measure("EchoRequest of 48 bytes", echo)
    var chunk = Chunk()
    chunk.seq = 7
    chunk.payload = [UInt8](repeating: 0x78, count: 64 << 10)
    try measure("Chunk of 64 KiB", chunk, rounds: rounds / 20)
    var scalars = Scalars()
    scalars.anInt64 = 1 << 40
    scalars.aDouble = 47.3769
    scalars.aFloat = 8.5417
    scalars.aString = "ride_01j8z3k4m5n6p"
    scalars.aMood = .good
    try measure("Scalars with 5 fields", scalars)
    var list = RepeatedScalars()
    list.aMessage = [Scalars](repeating: scalars, count: 20)
    try measure("20 Scalars in a list", list, rounds: rounds / 20)
  }

  private static func measure<M: GeneratedMessage>(_ name: String, _ message: M, rounds: Int = rounds) throws {
    let bytes = message.encoded()
    let clock = ContinuousClock()
    var total = 0
    let encoding = clock.measure { for _ in 0..<rounds { total &+= message.encoded(headroom: 5).count } }
    let decoding = try clock.measure {
      for _ in 0..<rounds { total &+= try M(decoding: bytes).unknownFields.bytes.count }
    }
    func nanoseconds(_ duration: Duration) -> Int64 {
      let (seconds, attoseconds) = duration.components
      return (seconds * 1_000_000_000 + attoseconds / 1_000_000_000) / Int64(rounds)
    }
    print("\(name): encode \(nanoseconds(encoding)) ns, decode \(nanoseconds(decoding)) ns (\(bytes.count) bytes)")
    precondition(total == rounds * (bytes.count + 5))
  }
}
