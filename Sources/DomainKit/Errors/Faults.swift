import RPC

/// Gathers what is wrong with a request, so that its client is told all of it at once.
///
/// ```swift
/// var faults = Faults()
/// let handle = try faults.check { try Handle(of: request.handle) }
/// let contact = try faults.check { try Contact.email(of: request.email) }
/// try faults.throwIfAny()
/// ```
public struct Faults {
  private var found: [any DomainError] = []

  public init() {}

  /// Does a part of the checks. What it finds wrong with a field is kept, other errors are thrown.
  /// - Returns: nil if something is wrong.
  @discardableResult
  public mutating func check<Value>(_ body: () throws -> Value) throws -> Value? {
    do {
      return try body()
    } catch let error as any DomainError where !error.mapping.violations.isEmpty {
      found.append(error)
      return nil
    }
  }

  /// Keeps what is wrong with a field.
  public mutating func note(_ error: any DomainError) { found.append(error) }

  /// - Throws: what was found: a single fault as it is, several as an `InvalidRequest`.
  public func throwIfAny() throws {
    if found.count > 1 { throw InvalidRequest(faults: found.map(\.mapping)) }
    if let first = found.first { throw first }
  }
}

/// A request with several faults: the reason is the first one's, the violations are all of theirs.
public struct InvalidRequest: DomainError {
  let faults: [ErrorMapping]

  public var mapping: ErrorMapping {
    ErrorMapping(
      faults[0].reason, .invalidArgument, "the request is not valid", violations: faults.flatMap(\.violations))
  }
}
