import Foundation

/// A request_id that no request has had.
public func newRequestID() -> String { UUID().uuidString.lowercased() }
