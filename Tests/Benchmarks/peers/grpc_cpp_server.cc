// bench.v1.Bench on gRPC C++'s callback API: a peer that the benchmarks compare with.
// Usage: grpc_cpp_server PORT
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstdlib>
#include <deque>
#include <iostream>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "bench/v1/bench.grpc.pb.h"

using bench::v1::Bench;
using bench::v1::Broadcast;
using bench::v1::Chunk;
using bench::v1::EchoReply;
using bench::v1::EchoRequest;
using bench::v1::StreamRequest;
using grpc::ByteBuffer;
using grpc::CallbackServerContext;
using grpc::Status;

namespace {

class Downloading final : public grpc::ServerWriteReactor<Chunk> {
 public:
  explicit Downloading(const StreamRequest &request) : count_(request.count()), size_(request.size()) { Continue(); }
  void OnWriteDone(bool ok) override {
    if (ok) {
      Continue();
    } else {
      Finish(Status::CANCELLED);
    }
  }
  void OnDone() override { delete this; }

 private:
  void Continue() {
    if (next_ == count_) {
      Finish(Status::OK);
      return;
    }
    chunk_.set_seq(next_++);
    chunk_.mutable_payload()->assign(size_, 'x');
    StartWrite(&chunk_);
  }

  const uint32_t count_, size_;
  uint32_t next_ = 0;
  Chunk chunk_;
};

class Uploading final : public grpc::ServerReadReactor<Chunk> {
 public:
  explicit Uploading(Chunk *reply) : reply_(reply) { StartRead(&chunk_); }
  void OnReadDone(bool ok) override {
    if (ok) {
      ++count_;
      total_ += chunk_.payload().size();
      StartRead(&chunk_);
      return;
    }
    reply_->set_seq(count_);
    reply_->set_payload(std::to_string(total_));
    Finish(Status::OK);
  }
  void OnDone() override { delete this; }

 private:
  Chunk *const reply_;
  Chunk chunk_;
  uint32_t count_ = 0;
  uint64_t total_ = 0;
};

// A reader of what is published. Messages are shared slices: they were encoded once for all.
class Subscriber final : public grpc::ServerWriteReactor<ByteBuffer> {
 public:
  Subscriber();
  void Offer(const ByteBuffer &message) {
    std::lock_guard<std::mutex> guard(mutex_);
    if (is_over_) return;
    waiting_.push_back(message);
    if (waiting_.size() == 1) StartWrite(&waiting_.front());
  }
  void OnWriteDone(bool ok) override {
    std::lock_guard<std::mutex> guard(mutex_);
    waiting_.pop_front();
    if (ok && !waiting_.empty()) StartWrite(&waiting_.front());
  }
  void OnCancel() override {
    std::lock_guard<std::mutex> guard(mutex_);
    is_over_ = true;
    Finish(Status::CANCELLED);
  }
  void OnDone() override;

 private:
  std::mutex mutex_;
  std::deque<ByteBuffer> waiting_;
  bool is_over_ = false;
};

std::mutex subscribers_mutex;
std::set<Subscriber *> subscribers;

Subscriber::Subscriber() {
  {
    std::lock_guard<std::mutex> guard(subscribers_mutex);
    subscribers.insert(this);
  }
  StartSendInitialMetadata();
}

void Subscriber::OnDone() {
  {
    std::lock_guard<std::mutex> guard(subscribers_mutex);
    subscribers.erase(this);
  }
  delete this;
}

class Publishing final : public grpc::ServerReadReactor<Chunk> {
 public:
  explicit Publishing(Chunk *reply) : reply_(reply) { StartRead(&chunk_); }
  void OnReadDone(bool ok) override {
    if (!ok) {
      Finish(Status::OK);
      return;
    }
    reply_->set_seq(reply_->seq() + 1);
    ByteBuffer message;
    bool owned = false;
    grpc::GenericSerialize<grpc::ProtoBufferWriter, Chunk>(chunk_, &message, &owned);
    {
      std::lock_guard<std::mutex> guard(subscribers_mutex);
      for (auto *subscriber : subscribers) subscriber->Offer(message);
    }
    StartRead(&chunk_);
  }
  void OnDone() override { delete this; }

 private:
  Chunk *const reply_;
  Chunk chunk_;
};

class BenchService final : public Bench::CallbackService {
  grpc::ServerUnaryReactor *Echo(CallbackServerContext *context, const EchoRequest *request,
                                 EchoReply *reply) override {
    reply->set_payload(request->payload());
    reply->set_tag(request->tag());
    auto *reactor = context->DefaultReactor();
    reactor->Finish(Status::OK);
    return reactor;
  }
  grpc::ServerWriteReactor<Chunk> *Download(CallbackServerContext *, const StreamRequest *request) override {
    return new Downloading(*request);
  }
  grpc::ServerReadReactor<Chunk> *Upload(CallbackServerContext *, Chunk *reply) override {
    return new Uploading(reply);
  }
};

class BroadcastService final : public Broadcast::WithRawCallbackMethod_Subscribe<Broadcast::CallbackService> {
  grpc::ServerWriteReactor<ByteBuffer> *Subscribe(CallbackServerContext *, const ByteBuffer *) override {
    return new Subscriber;
  }
  grpc::ServerReadReactor<Chunk> *Publish(CallbackServerContext *, Chunk *reply) override {
    return new Publishing(reply);
  }
};

}  // namespace

int main(int argc, char **argv) {
  if (argc != 2) {
    std::cerr << "usage: grpc_cpp_server PORT\n";
    return EXIT_FAILURE;
  }
  BenchService bench;
  BroadcastService broadcast;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(std::string("127.0.0.1:") + argv[1], grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&bench);
  builder.RegisterService(&broadcast);
  auto server = builder.BuildAndStart();
  if (!server) return EXIT_FAILURE;
  std::cout << "ready listen=127.0.0.1:" << port << std::endl;
  server->Wait();
}
