import ChatAPI
import RPC
import RidesAPI

extension RideServiceClient {
  /// A ride's chat, whose join has been sent.
  func enterChat(
    _ ride: String, resumeToken: String = ""
  ) async throws -> BidirectionalCall<RideChatRequest, RideChatResponse> {
    let call = rideChat()
    var join = Join()
    join.resumeToken = resumeToken
    var request = RideChatRequest()
    request.rideID = ride
    request.frame = ClientFrame()
    request.frame?.frame = .join(join)
    try await call.requests.write(request)
    return call
  }
}
