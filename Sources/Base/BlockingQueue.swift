internal import CLinux

/// A bounded queue whose readers are threads that block. A full queue refuses its writers, or has those wait that may block.
public final class BlockingQueue<Element: Sendable>: @unchecked Sendable {
  // Unchecked because the compiler cannot see that every access holds `mutex`.
  private var elements: [Element] = []
  private var isClosed = false
  private var blockedWriters = 0
  private let limit: Int
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let filled: UnsafeMutablePointer<pthread_cond_t>
  private let freed: UnsafeMutablePointer<pthread_cond_t>

  /// - Parameter limit: how many elements may wait.
  public init(limit: Int) {
    precondition(limit > 0, "a queue without room takes nothing")
    self.limit = limit
    mutex = .allocate(capacity: 1)
    mutex.initialize(to: pthread_mutex_t())
    filled = .allocate(capacity: 1)
    filled.initialize(to: pthread_cond_t())
    freed = .allocate(capacity: 1)
    freed.initialize(to: pthread_cond_t())
    let results = (pthread_mutex_init(mutex, nil), pthread_cond_init(filled, nil), pthread_cond_init(freed, nil))
    precondition(results == (0, 0, 0), "pthread initialisation failed: \(results)")
  }

  deinit {
    pthread_cond_destroy(freed)
    pthread_cond_destroy(filled)
    pthread_mutex_destroy(mutex)
    freed.deallocate()
    filled.deallocate()
    mutex.deallocate()
  }

  /// How many elements wait. From any thread.
  public var count: Int {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return elements.count
  }

  /// How many writers wait for room. From any thread.
  var waitingWriters: Int {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return blockedWriters
  }

  /// Appends an element and wakes a reader. From any thread.
  public func push(_ element: Element) throws(QueueRefusal) {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    if isClosed { throw .closed }
    if elements.count >= limit { throw .full }
    elements.append(element)
    pthread_cond_signal(filled)
  }

  /// Appends an element as soon as there is room, and wakes a reader. Blocks until then, or until the queue is closed.
  /// - Returns: false if it is closed.
  public func pushWhenRoom(_ element: Element) -> Bool {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    blockedWriters += 1
    while elements.count >= limit && !isClosed { pthread_cond_wait(freed, mutex) }
    blockedWriters -= 1
    if isClosed { return false }
    elements.append(element)
    pthread_cond_signal(filled)
    return true
  }

  /// Waits for elements and takes up to `most` of them, oldest first. Empty once the queue is closed and drained.
  /// - Parameter share: how many readers there are; a reader leaves the others their part of a short queue.
  public func pop(atMost most: Int, share: Int = 1) -> [Element] {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while elements.isEmpty && !isClosed {
      pthread_cond_wait(filled, mutex)
    }
    let count = min(most, (elements.count + share - 1) / share)
    if count > 0 { pthread_cond_broadcast(freed) }
    if count == elements.count {
      defer { elements = [] }
      return elements
    }
    defer { elements.removeFirst(count) }
    return Array(elements.prefix(count))
  }

  /// Takes up to `most` of the elements that wait now, oldest first; often none.
  public func popWaiting(atMost most: Int) -> [Element] {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    let count = min(most, elements.count)
    if count > 0 { pthread_cond_broadcast(freed) }
    defer { elements.removeFirst(count) }
    return Array(elements.prefix(count))
  }

  /// Refuses further elements; readers get what is left and then nothing.
  public func close() {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    isClosed = true
    pthread_cond_broadcast(filled)
    pthread_cond_broadcast(freed)
  }
}

/// Why a queue did not take an element.
public enum QueueRefusal: Error, Equatable {
  case full
  case closed
}
