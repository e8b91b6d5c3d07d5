import IdentityAPI
import Refusals

/// Handing documents in, and deciding about them.
extension Client {
  func submit(
    _ uploads: [String], requestID: String = newRequestID()
  ) async throws -> Verification {
    var request = SubmitVerificationRequest()
    request.requestID = requestID
    request.documents = uploads.map { upload in
      var document = SubmittedDocument()
      document.kind = .passport
      document.uploadID = upload
      return document
    }
    return try await verifications.submitVerification(request)
  }

  func verification(of user: String = "") async throws -> Verification {
    var request = GetVerificationRequest()
    request.userID = user
    return try await verifications.getVerification(request)
  }

  func verifications(
    _ state: VerificationState = .unspecified, pageSize: Int32 = 0, pageToken: String = ""
  ) async throws -> ListVerificationsResponse {
    var request = ListVerificationsRequest()
    (request.state, request.pageSize, request.pageToken) = (state, pageSize, pageToken)
    return try await verifications.listVerifications(request)
  }

  func review(
    _ id: String, _ decision: VerificationState, _ reason: String = ""
  ) async throws -> Verification {
    var request = ReviewVerificationRequest()
    request.requestID = newRequestID()
    request.verificationID = id
    request.decision = decision
    request.reason = reason
    return try await verifications.reviewVerification(request)
  }
}
