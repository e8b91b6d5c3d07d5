// bench.v1.Bench/Echo on gRPC C++'s callback API: the peer that the echo benchmark compares with.
// Usage: grpc_cpp_echo PORT
#include <grpcpp/grpcpp.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "bench/v1/bench.grpc.pb.h"

class EchoService final : public bench::v1::Bench::CallbackService {
  grpc::ServerUnaryReactor *Echo(grpc::CallbackServerContext *context, const bench::v1::EchoRequest *request,
                                 bench::v1::EchoReply *reply) override {
    reply->set_payload(request->payload());
    reply->set_tag(request->tag());
    auto *reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

int main(int argc, char **argv) {
  if (argc != 2) {
    std::cerr << "usage: grpc_cpp_echo PORT\n";
    return EXIT_FAILURE;
  }
  EchoService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(std::string("127.0.0.1:") + argv[1], grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  auto server = builder.BuildAndStart();
  if (!server) return EXIT_FAILURE;
  std::cout << "ready listen=127.0.0.1:" << port << std::endl;
  server->Wait();
}
