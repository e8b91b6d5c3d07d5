internal import CLinux
internal import CNghttp2

/// The memory of the HPACK tables of one event loop: nghttp2 allocates a small block for each literal it decodes, and
/// free lists without locks make that cheaper than malloc alone.
///
/// A block always comes from malloc and its size class from `malloc_usable_size`, so blocks need no header and
/// `realloc` stays libc's own. Used on the loop's thread only.
final class SessionMemory {
  /// One free list: blocks linked through their first word.
  struct FreeList {
    var first: UnsafeMutableRawPointer?
    var count: Int
  }

  /// By size class, in memory of a stable address: nghttp2's hooks get this pointer.
  let lists: UnsafeMutablePointer<FreeList>

  /// What nghttp2 is given; it keeps the pointer.
  let hooks: UnsafeMutablePointer<nghttp2_mem>

  /// glibc's blocks have usable sizes of 16 n + 8; larger ones than the last class go straight to libc.
  static let classCount = 64

  init() {
    lists = .allocate(capacity: Self.classCount)
    lists.initialize(repeating: FreeList(first: nil, count: 0), count: Self.classCount)
    hooks = .allocate(capacity: 1)
    hooks.initialize(
      to: nghttp2_mem(
        mem_user_data: lists,
        malloc: { size, lists in SessionMemory.allocate(size, lists) },
        free: { block, lists in SessionMemory.release(block, lists) },
        calloc: { count, size, lists in
          let (total, overflow) = count.multipliedReportingOverflow(by: size)
          guard !overflow, let block = SessionMemory.allocate(total, lists) else { return nil }
          return memset(block, 0, total)
        },
        realloc: { block, size, _ in realloc(block, size) }))
  }

  deinit {
    giveBack()
    lists.deallocate()
    hooks.deallocate()
  }

  /// Frees what is kept for later.
  func giveBack() {
    for index in 0..<Self.classCount {
      while let block = lists[index].first {
        lists[index].first = block.load(as: UnsafeMutableRawPointer?.self)
        free(block)
      }
      lists[index].count = 0
    }
  }

  private static func allocate(_ size: Int, _ lists: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    let index = (max(size, 24) + 7) / 16
    if index < classCount {
      let list = lists.unsafelyUnwrapped.assumingMemoryBound(to: FreeList.self) + index
      if let block = list.pointee.first {
        list.pointee.first = block.load(as: UnsafeMutableRawPointer?.self)
        list.pointee.count -= 1
        return block
      }
    }
    return malloc(size)
  }

  private static func release(_ block: UnsafeMutableRawPointer?, _ lists: UnsafeMutableRawPointer?) {
    guard let block else { return }
    let index = (max(malloc_usable_size(block), 24) - 8) / 16
    if index < classCount {
      let list = lists.unsafelyUnwrapped.assumingMemoryBound(to: FreeList.self) + index
      if list.pointee.count < HTTP2Limits.freeBlocksPerClass {
        block.storeBytes(of: list.pointee.first, as: UnsafeMutableRawPointer?.self)
        list.pointee.first = block
        list.pointee.count += 1
        return
      }
    }
    free(block)
  }
}
