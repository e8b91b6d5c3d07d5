public import Base
public import Storage

/// The notices of a domain that is made before the notify domain, as identity is, of which notify has to know who people
/// are. Where there is no notify domain, nobody is told anything.
///
/// Linked once, before the first call; safe to share between threads.
public final class NoticesLink: Notices {
  private let target = Locked<(any Notices)?>(nil)

  public init() {}

  /// Says who tells. Once.
  public func link(to notices: any Notices) {
    target.withLock { target in
      precondition(target == nil, "two who tell")
      target = notices
    }
  }

  private var notices: (any Notices)? { target.withLock { $0 } }

  public func notify(_ user: Identifier, _ notice: Notice, in writer: any Writer) throws {
    try notices?.notify(user, notice, in: writer)
  }

  public func notify(_ audience: Audience, _ notice: Notice, in writer: any Writer) throws {
    try notices?.notify(audience, notice, in: writer)
  }

  public func notify(_ address: ContactAddress, _ notice: OutsideNotice, in writer: any Writer) throws {
    try notices?.notify(address, notice, in: writer)
  }
}
