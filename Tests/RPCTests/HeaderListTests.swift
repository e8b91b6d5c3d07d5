import Testing

@testable import RPC

struct HeaderListTests {
  @Test func keepsOrderAndDuplicates() {
    var headers: HeaderList = ["a": "1", "b": "2"]
    headers.append("a", "3")
    #expect(headers.map { headers.name(of: $0) + "=" + headers.value(of: $0) } == ["a=1", "b=2", "a=3"])
    #expect(headers.count == 3)
    #expect(headers.first("a") == "1")
    #expect(headers.first("c") == nil)
  }

  @Test func countsTheSizeAsHTTP2Does() {
    let headers: HeaderList = ["name": "value", "n": ""]
    #expect(headers.listSize == 9 + 32 + 1 + 32)
  }

  @Test func holdsLongValues() {
    let value = String(repeating: "v", count: 70_000)
    let headers: HeaderList = ["long": value, "short": "s"]
    #expect(headers.first("long") == value)
    #expect(headers.first("short") == "s")
  }

  @Test func matchesWholeNamesOnly() {
    let headers: HeaderList = ["grpc-status": "0"]
    #expect(headers.first("grpc-statu") == nil)
    #expect(headers.first("grpc-status2") == nil)
  }

  @Test func appendsSpans() {
    var headers = HeaderList()
    let name = Array("x".utf8)
    let value: [UInt8] = [0xff, 0x00]
    headers.append(name: name.span, value: value.span)
    #expect(headers.map { Array(headers.octets[$0.value]) } == [[0xff, 0x00]])
  }

  @Test func descriptionHidesValues() {
    let headers: HeaderList = ["authorization": "secret"]
    #expect(!headers.debugDescription.contains("secret"))
  }
}
