/// A map that never holds more than a given number of entries, or more than they may cost together, and forgets those
/// that were not used for longest.
///
/// Two generations: an entry that is used moves to the young one; when that is full, it becomes the old one and what
/// the old one still held is forgotten. So each operation costs one or two look-ups and no list has to be kept.
public struct BoundedCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  @usableFromInline let generationSize: Int
  @usableFromInline var young: [Key: Value] = [:]
  @usableFromInline var old: [Key: Value] = [:]
  @usableFromInline var youngCost = 0
  /// Where the key stands that was asked for last, while nothing has moved: who calls often calls several times in a row,
  /// and to compare a key costs less than its hash. The key is the one that is kept: another may share its storage with more.
  @usableFromInline var latest: (key: Key, place: Dictionary<Key, Value>.Index)?
  /// Nil: each entry counts as one.
  @usableFromInline let cost: (@Sendable (Value) -> Int)?

  /// - Parameter capacity: greatest number of entries; the last `capacity` / 2 used ones are sure to be there.
  @inlinable
  public init(capacity: Int) {
    precondition(capacity >= 2, "two generations need an entry each")
    generationSize = capacity / 2
    cost = nil
  }

  /// - Parameters:
  ///   - capacity: what the entries cost together at most, in the unit of `cost`.
  ///   - cost: of a value. One that costs more than half of the capacity is not kept.
  @inlinable
  public init(capacity: Int, cost: @escaping @Sendable (Value) -> Int) {
    generationSize = capacity / 2
    self.cost = cost
  }

  @inlinable public var count: Int { young.count + old.count }

  @inlinable
  public subscript(key: Key) -> Value? {
    mutating get {
      if let latest, latest.key == key { return young.values[latest.place] }
      if let place = young.index(forKey: key) {
        latest = (young.keys[place], place)
        return young.values[place]
      }
      guard let place = old.index(forKey: key) else { return nil }
      let found = old.remove(at: place)
      insert(found.value, found.key)
      return found.value
    }
    set {
      old.removeValue(forKey: key)
      if let newValue {
        insert(newValue, key)
      } else {
        remove(key)
      }
    }
  }

  /// Changes the value of a key, or that of `initial` if it has none. Cheaper than to get and to set it.
  @inlinable
  public mutating func update<Result>(
    _ key: Key, initial: @autoclosure () -> Value, _ change: (inout Value) throws -> Result
  ) rethrows -> Result {
    if cost == nil, let latest, latest.key == key { return try change(&young.values[latest.place]) }
    if cost == nil, let place = young.index(forKey: key) {
      latest = (young.keys[place], place)
      return try change(&young.values[place])
    }
    var value = remove(key) ?? old.removeValue(forKey: key) ?? initial()
    defer { insert(value, key) }
    return try change(&value)
  }

  @inlinable
  mutating func insert(_ value: Value, _ key: Key) {
    let price = cost?(value) ?? 1
    remove(key)
    latest = nil
    if price > generationSize { return }
    if youngCost + price > generationSize {
      old = young
      young = [:]
      youngCost = 0
    }
    young[key] = value
    youngCost += price
  }

  /// Takes an entry out of the young generation.
  @inlinable
  @discardableResult
  mutating func remove(_ key: Key) -> Value? {
    guard let value = young.removeValue(forKey: key) else { return nil }
    latest = nil
    youngCost -= cost?(value) ?? 1
    return value
  }
}
