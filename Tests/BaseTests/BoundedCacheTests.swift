import Base
import Testing

@Suite struct BoundedCacheTests {
  @Test func `a cache stays within its bound and keeps what is used`() {
    var cache = BoundedCache<Int, Int>(capacity: 10)
    for number in 0..<1000 {
      cache[number] = number
      #expect(cache[0] == 0)
      #expect(cache.count <= 10)
    }
    #expect(cache[500] == nil && cache[999] == 999)
    cache[0] = nil
    #expect(cache[0] == nil)
  }
}
