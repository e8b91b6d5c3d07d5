// grpc.testing.TestService on gRPC C++, as interop-test-descriptions.md describes it, at a port that the kernel chooses.
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <thread>

#include "grpc/testing/test.grpc.pb.h"

// Of the library, for tests, and in none of its headers that are installed.
uint32_t grpc_call_test_only_get_message_flags(grpc_call *call);

using grpc::ServerContext;
using grpc::Status;
using grpc::testing::BoolValue;
using grpc::testing::EchoStatus;
using grpc::testing::Empty;
using grpc::testing::ResponseParameters;
using grpc::testing::SimpleRequest;
using grpc::testing::SimpleResponse;
using grpc::testing::StreamingInputCallRequest;
using grpc::testing::StreamingInputCallResponse;
using grpc::testing::StreamingOutputCallRequest;
using grpc::testing::StreamingOutputCallResponse;
using grpc::testing::TestService;

namespace {

// The flag of a message that came compressed and is not any more (GRPC_WRITE_INTERNAL_TEST_ONLY_WAS_COMPRESSED).
constexpr uint32_t kCompressed = 0x40000000u;
const char kEchoInitial[] = "x-grpc-test-echo-initial";
const char kEchoTrailing[] = "x-grpc-test-echo-trailing-bin";

std::optional<std::string> Received(const ServerContext &context, const char *name) {
  auto found = context.client_metadata().find(name);
  if (found == context.client_metadata().end()) return std::nullopt;
  return std::string(found->second.begin(), found->second.end());
}

void EchoMetadata(ServerContext *context) {
  if (auto value = Received(*context, kEchoInitial)) context->AddInitialMetadata(kEchoInitial, *value);
  if (auto value = Received(*context, kEchoTrailing)) context->AddTrailingMetadata(kEchoTrailing, *value);
}

// Whether the message that was read last came as its sender says.
bool IsAsExpected(ServerContext *context, bool has_expectation, const BoolValue &expected) {
  bool is_compressed = (grpc_call_test_only_get_message_flags(context->c_call()) & kCompressed) != 0;
  return !has_expectation || expected.value() == is_compressed;
}

const Status kNotAsExpected(grpc::StatusCode::INVALID_ARGUMENT, "the message is not compressed as expected");

Status Wanted(const EchoStatus &status) {
  return Status(static_cast<grpc::StatusCode>(status.code()), status.message());
}

class Service final : public TestService::Service {
  Status EmptyCall(ServerContext *context, const Empty *, Empty *) override {
    EchoMetadata(context);
    return Status::OK;
  }

  Status UnaryCall(ServerContext *context, const SimpleRequest *request, SimpleResponse *response) override {
    EchoMetadata(context);
    if (!IsAsExpected(context, request->has_expect_compressed(), request->expect_compressed())) return kNotAsExpected;
    if (request->response_status().code() != 0) return Wanted(request->response_status());
    if (request->response_compressed().value()) context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
    response->mutable_payload()->set_body(std::string(request->response_size(), '\0'));
    if (request->fill_server_id()) response->set_server_id("grpc-cpp-" + std::to_string(getpid()));
    return Status::OK;
  }

  Status CacheableUnaryCall(ServerContext *context, const SimpleRequest *request, SimpleResponse *response) override {
    context->AddInitialMetadata("cache-control", "max-age=60, public");
    return UnaryCall(context, request, response);
  }

  Status StreamingInputCall(ServerContext *context, grpc::ServerReader<StreamingInputCallRequest> *requests,
                            StreamingInputCallResponse *response) override {
    StreamingInputCallRequest request;
    size_t total = 0;
    while (requests->Read(&request)) {
      if (!IsAsExpected(context, request.has_expect_compressed(), request.expect_compressed())) return kNotAsExpected;
      total += request.payload().body().size();
    }
    response->set_aggregated_payload_size(total);
    return Status::OK;
  }

  Status StreamingOutputCall(ServerContext *context, const StreamingOutputCallRequest *request,
                             grpc::ServerWriter<StreamingOutputCallResponse> *responses) override {
    EchoMetadata(context);
    context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
    return Answer(*request, responses);
  }

  Status FullDuplexCall(
      ServerContext *context,
      grpc::ServerReaderWriter<StreamingOutputCallResponse, StreamingOutputCallRequest> *messages) override {
    EchoMetadata(context);
    StreamingOutputCallRequest request;
    while (messages->Read(&request)) {
      if (Status status = Answer(request, messages); !status.ok()) return status;
    }
    return Status::OK;
  }

  template <typename Responses>
  static Status Answer(const StreamingOutputCallRequest &request, Responses *responses) {
    if (request.response_status().code() != 0) return Wanted(request.response_status());
    for (const ResponseParameters &parameters : request.response_parameters()) {
      std::this_thread::sleep_for(std::chrono::microseconds(parameters.interval_us()));
      StreamingOutputCallResponse response;
      response.mutable_payload()->set_body(std::string(parameters.size(), '\0'));
      grpc::WriteOptions options;
      if (!parameters.compressed().value()) options.set_no_compression();
      if (!responses->Write(response, options)) return Status::CANCELLED;
    }
    return Status::OK;
  }
};

}  // namespace

int main() {
  Service service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  auto server = builder.BuildAndStart();
  if (!server) return EXIT_FAILURE;
  std::cout << "ready listen=127.0.0.1:" << port << std::endl;
  server->Wait();
}
