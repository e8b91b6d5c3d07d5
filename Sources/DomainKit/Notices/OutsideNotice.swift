public import Base

/// What is told to somebody who may have no account: an invitation, or a word about somebody's safety. Nothing else goes to
/// people who have not asked for it.
///
/// Whoever gets one by mail can stop all that follow of its sort. That is remembered by a keyed hash of the address, and
/// the address itself is forgotten when the letter is out.
public struct OutsideNotice: Sendable {
  public let notice: Notice
  public let sort: OutsideSort
  /// On whose behalf it goes; nil for the server's own. One user invites so many a day at most.
  public let sender: Identifier?
  /// Of the words, BCP 47: nobody knows the reader's, so that of the sender, say.
  public let language: String

  /// Traps for a notice of a kind that is neither an invitation nor about safety. An address gets one notice of each key.
  public init(_ notice: Notice, from sender: Identifier?, in language: String) {
    guard let sort = notice.kind.outsideSort else {
      preconditionFailure("\(notice.kind.name) is not for people without an account")
    }
    self.notice = notice
    self.sort = sort
    self.sender = sender
    self.language = language
  }
}

/// What people without an account are told; each sort can be stopped by itself.
public enum OutsideSort: Int64, Sendable, CaseIterable {
  case invitation = 1
  case safety = 2
}

/// An address of somebody, who may have no account, in the form in which addresses are compared: `Contacts.address` makes
/// it.
public struct ContactAddress: Sendable, Equatable {
  public let kind: ContactKind
  public let text: String

  public init(_ kind: ContactKind, normalized text: String) {
    self.kind = kind
    self.text = text
  }
}
