internal import CProtobufC
internal import Glibc

/// The memory in which protobuf-c builds one message: blocks that are filled from the bottom and emptied at once.
///
/// Each thread keeps one, so that a message that fits its first block costs no allocation. It counts what it hands
/// out against a budget, because a small input can ask for much memory (an empty map entry of two bytes takes
/// dozens). Confined to the thread that got it.
struct Arena {
  /// What a thread's first block begins with.
  static let firstBlockSize = 64 << 10
  /// Arrays longer than this are lent to protobuf-c instead of copied into the arena.
  static let longestCopy = 1 << 10
  /// protobuf-c's structs hold nothing that needs a stricter alignment.
  private static let alignment = 8

  var next: UnsafeMutableRawPointer
  var end: UnsafeMutableRawPointer
  /// What may still be handed out.
  var budget: Int
  /// What went wrong first.
  var failure: DecodeError?
  /// Keeps the storage of lent arrays alive until the arena is emptied.
  var lent: [[UInt8]] = []
  private var firstBlock: UnsafeMutableRawBufferPointer
  private var moreBlocks: [UnsafeMutableRawBufferPointer] = []
  private var isInUse = false
  /// Whether it stays with its thread.
  private var isKept = false
  /// What protobuf-c calls to allocate here.
  var allocator: ProtobufCAllocator

  private init(owner: UnsafeMutablePointer<Arena>) {
    let (block, start) = Self.makeBlock(Self.firstBlockSize)
    firstBlock = block
    next = start
    end = start + block.count
    budget = 0
    allocator = ProtobufCAllocator(
      alloc: { owner, size in owner?.assumingMemoryBound(to: Arena.self).pointee.allocate(size) },
      free: { _, _ in },
      allocator_data: owner)
  }

  /// Memory for `size` bytes, not cleared; nil when the budget does not allow it.
  mutating func allocate(_ size: Int) -> UnsafeMutableRawPointer? {
    let rounded = (size + (Self.alignment - 1)) & ~(Self.alignment - 1)
    guard size >= 0, size <= budget, rounded <= budget else {
      if failure == nil { failure = .overBudget }
      return nil
    }
    budget -= rounded
    if rounded > end - next { grow(for: rounded) }
    defer { next += rounded }
    return next
  }

  /// A zeroed struct of a message; nil when the budget does not allow it. In proto3 every default value is zero.
  mutating func allocate(_ descriptor: UnsafePointer<ProtobufCMessageDescriptor>) -> UnsafeMutableRawPointer? {
    let size = descriptor.pointee.sizeof_message
    guard let raw = allocate(size) else { return nil }
    raw.initializeMemory(as: UInt8.self, repeating: 0, count: size)
    raw.assumingMemoryBound(to: ProtobufCMessage.self).pointee.descriptor = descriptor
    return raw
  }

  private static func makeBlock(_ size: Int) -> (UnsafeMutableRawBufferPointer, start: UnsafeMutableRawPointer) {
    let start = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
    return (UnsafeMutableRawBufferPointer(start: start, count: size), start)
  }

  private mutating func grow(for size: Int) {
    let (block, start) = Self.makeBlock(max(size, Self.firstBlockSize << min(moreBlocks.count, 4)))
    moreBlocks.append(block)
    next = start
    end = start + block.count
  }

  private mutating func empty() {
    isInUse = false
    if failure != nil { failure = nil }
    if !lent.isEmpty { lent.removeAll() }
    if !moreBlocks.isEmpty {
      for block in moreBlocks {
        let isBetter = block.count > firstBlock.count && block.count <= DecodeLimits.keptBlock
        let other = isBetter ? firstBlock : block
        if isBetter { firstBlock = block }
        other.deallocate()
      }
      moreBlocks.removeAll()
    }
    if let start = firstBlock.baseAddress {
      next = start
      end = start + firstBlock.count
    }
  }
}

extension Arena {
  /// An empty arena of this thread; give it back with `release`.
  static func acquire(budget: Int) -> UnsafeMutablePointer<Arena> {
    let arena: UnsafeMutablePointer<Arena>
    if let kept = pthread_getspecific(key)?.assumingMemoryBound(to: Arena.self), !kept.pointee.isInUse {
      arena = kept
    } else {
      arena = create()
      arena.pointee.isKept = pthread_getspecific(key) == nil && pthread_setspecific(key, arena) == 0
    }
    arena.pointee.isInUse = true
    arena.pointee.budget = budget
    return arena
  }

  /// Empties the arena. Whatever was allocated in it is gone.
  static func release(_ arena: UnsafeMutablePointer<Arena>) {
    arena.pointee.empty()
    if !arena.pointee.isKept { destroy(arena) }
  }

  private static func create() -> UnsafeMutablePointer<Arena> {
    let arena = UnsafeMutablePointer<Arena>.allocate(capacity: 1)
    arena.initialize(to: Arena(owner: arena))
    return arena
  }

  fileprivate static func destroy(_ arena: UnsafeMutablePointer<Arena>) {
    arena.pointee.empty()
    arena.pointee.firstBlock.deallocate()
    arena.deinitialize(count: 1)
    arena.deallocate()
  }

  /// Where each thread keeps its arena.
  private static let key: pthread_key_t = {
    var key = pthread_key_t()
    let result = pthread_key_create(&key) { pointer in
      if let pointer { Arena.destroy(pointer.assumingMemoryBound(to: Arena.self)) }
    }
    precondition(result == 0, "no key for thread-local memory: \(result)")
    return key
  }()
}
