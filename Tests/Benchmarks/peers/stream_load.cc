// A load client for bench.v1.Bench, on bare frames so that it costs less than the servers that it drives. One thread.
// It opens its connections, prints `ready`, and begins to measure when it reads a line. Then it prints one line of JSON.
//
//   stream_load HOST:PORT download COUNT SIZE SECONDS            calls of COUNT messages of SIZE bytes, one after another
//   stream_load HOST:PORT sleepy-download COUNT SIZE SECONDS     the same by a reader that the system has to wake
//   stream_load HOST:PORT upload COUNT SIZE SECONDS              the same the other way
//   stream_load HOST:PORT echo SECONDS                           one call at a time, and how long they take
//   stream_load HOST:PORT fanout CONNECTIONS STREAMS AHEAD SECONDS
//                                        STREAMS readers in all, and a publisher that is AHEAD events ahead of them
//
// Answers that are not as bench.proto says end it with exit code 1.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace {

constexpr uint32_t kStreamWindow = 4 << 20, kConnectionWindow = 16 << 20, kFirstWindow = 65535, kFrame = 16384;
constexpr size_t kOutputHigh = 256 << 10, kInput = 512 << 10, kCaptured = 64;
constexpr int kEchoSize = 100, kStallSeconds = 30;
enum Kind : uint8_t { kData, kHeaders, kReset = 3, kSettings, kPing = 6, kGoAway, kWindowUpdate };
enum Flag : uint8_t { kEndStream = 1, kAck = 1, kEndHeaders = 4, kPadded = 8 };

[[noreturn]] void Fail(const std::string &why) {
  std::fprintf(stderr, "stream_load: %s\n", why.c_str());
  std::exit(EXIT_FAILURE);
}

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void AppendNumber(std::string &out, uint32_t number) {
  const uint8_t octets[] = {uint8_t(number >> 24), uint8_t(number >> 16), uint8_t(number >> 8), uint8_t(number)};
  out.append(reinterpret_cast<const char *>(octets), 4);
}

uint32_t ReadNumber(const uint8_t *octets) {
  return uint32_t(octets[0]) << 24 | uint32_t(octets[1]) << 16 | uint32_t(octets[2]) << 8 | octets[3];
}

void AppendFrameHead(std::string &out, size_t length, uint8_t kind, uint8_t flags, uint32_t stream) {
  AppendNumber(out, uint32_t(length) << 8 | kind);
  out.push_back(char(flags));
  AppendNumber(out, stream);
}

void AppendVarint(std::string &out, uint64_t number) {
  for (; number > 0x7f; number >>= 7) out.push_back(char(number | 0x80));
  out.push_back(char(number));
}

// gRPC's prefix and the wire form of the message.
std::string Framed(const std::string &message) {
  std::string framed(1, '\0');
  AppendNumber(framed, message.size());
  return framed + message;
}

std::string StreamRequest(uint32_t count, uint32_t size) {
  std::string message = "\x08";
  AppendVarint(message, count);
  message += '\x10';
  AppendVarint(message, size);
  return Framed(message);
}

std::string ChunkMessage(uint32_t sequence, const std::string &payload) {
  std::string message;
  if (sequence) {
    message = "\x08";
    AppendVarint(message, sequence);
  }
  message += '\x12';
  AppendVarint(message, payload.size());
  return message + payload;
}

// A header field that is not indexed (RFC 7541, 6.2.2); both parts are shorter than 127 octets.
void AppendField(std::string &block, const std::string &name, const std::string &value) {
  block += '\0';
  block += char(name.size());
  block += name;
  block += char(value.size());
  block += value;
}

struct Stream {
  uint8_t prefix[5];
  uint8_t prefix_count = 0;
  bool has_head = false, has_ended = false, is_ok = false;
  uint32_t remaining = 0, unacknowledged = 0, messages = 0;
  uint64_t octets = 0;
  int64_t window = 0;
};

class Connection {
 public:
  Connection(const std::string &address, int poller) : authority_(address) {
    const auto colon = address.rfind(':');
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(std::atoi(address.c_str() + colon + 1));
    inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
    socket_ = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(socket_, reinterpret_cast<sockaddr *>(&to), sizeof to)) Fail(std::string("connect: ") + strerror(errno));
    const int on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(socket_, F_SETFL, O_NONBLOCK);
    nghttp2_hd_inflate_new(&inflater_);
    output_ = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    AppendFrameHead(output_, 6, kSettings, 0, 0);
    output_.append("\0\4", 2);  // SETTINGS_INITIAL_WINDOW_SIZE
    AppendNumber(output_, kStreamWindow);
    AppendWindowUpdate(0, kConnectionWindow - kFirstWindow);
    poller_ = poller;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.ptr = this;
    epoll_ctl(poller_, EPOLL_CTL_ADD, socket_, &event);
  }

  // Opens a stream of that method, and returns its number.
  uint32_t Call(const std::string &method) {
    std::string block;
    AppendField(block, ":method", "POST");
    AppendField(block, ":scheme", "http");
    AppendField(block, ":path", "/bench.v1." + method);
    AppendField(block, ":authority", authority_);
    AppendField(block, "content-type", "application/grpc");
    AppendField(block, "te", "trailers");
    streams_.emplace_back();
    streams_.back().window = peer_stream_window_;
    const uint32_t id = uint32_t(streams_.size()) * 2 - 1;
    AppendFrameHead(output_, block.size(), kHeaders, kEndHeaders, id);
    output_ += block;
    return id;
  }

  Stream &At(uint32_t id) {
    if (id % 2 == 0 || id / 2 >= streams_.size()) Fail("a frame on a stream that is not there");
    return streams_[id / 2];
  }

  // Sends octets of a stream from `position` on, which it moves, as DATA frames of at most 16 KiB, as far as the windows
  // and the queue have room. Returns whether that were all of them.
  bool Send(uint32_t id, const std::string &octets, bool ends, size_t &position) {
    Stream &stream = At(id);
    do {
      const int64_t room = std::min(window_, stream.window);
      if (output_.size() - sent_ > kOutputHigh || room <= 0) return false;
      const size_t count = std::min({octets.size() - position, size_t{kFrame}, size_t(room)});
      const bool is_last = position + count == octets.size();
      AppendFrameHead(output_, count, kData, is_last && ends ? kEndStream : 0, id);
      output_.append(octets, position, count);
      window_ -= int64_t(count);
      stream.window -= int64_t(count);
      position += count;
    } while (position < octets.size());
    return true;
  }

  // Sends a message that has to fit into the windows.
  void SendWhole(uint32_t id, const std::string &octets, bool ends) {
    size_t position = 0;
    if (!Send(id, octets, ends, position)) Fail("no room for a short message");
  }

  // Reads and writes what is possible without waiting.
  void Drive() {
    Write();
    static std::vector<uint8_t> fresh(kInput);
    for (;;) {
      const ssize_t count = recv(socket_, fresh.data(), fresh.size(), 0);
      if (count == 0) Fail("the server has closed the connection");
      if (count < 0) {
        if (errno != EAGAIN) Fail(std::string("recv: ") + strerror(errno));
        break;
      }
      Take(fresh.data(), size_t(count));
      if (size_t(count) < fresh.size()) break;
    }
    Write();
  }

  bool is_greeted = false;
  // Messages on all streams; how many have a head; how many are over.
  uint64_t messages = 0;
  uint32_t heads = 0, ended = 0;
  // The last message, if it is short.
  std::string captured;

 private:
  void Write() {
    while (sent_ < output_.size()) {
      const ssize_t count = send(socket_, output_.data() + sent_, output_.size() - sent_, MSG_NOSIGNAL);
      if (count < 0) {
        if (errno != EAGAIN) Fail(std::string("send: ") + strerror(errno));
        return;
      }
      sent_ += size_t(count);
    }
    output_.clear();
    sent_ = 0;
  }

  void AppendWindowUpdate(uint32_t id, uint32_t increment) {
    AppendFrameHead(output_, 4, kWindowUpdate, 0, id);
    AppendNumber(output_, increment);
  }

  void Take(const uint8_t *octets, size_t count) {
    if (!input_.empty()) {
      input_.insert(input_.end(), octets, octets + count);
      const size_t used = TakeFrames(input_.data(), input_.size());
      input_.erase(input_.begin(), input_.begin() + ptrdiff_t(used));
    } else {
      const size_t used = TakeFrames(octets, count);
      input_.assign(octets + used, octets + count);
    }
  }

  size_t TakeFrames(const uint8_t *octets, size_t count) {
    size_t position = 0;
    while (count - position >= 9) {
      const uint8_t *head = octets + position;
      const uint32_t length = ReadNumber(head) >> 8;
      if (count - position < 9 + length) break;
      TakeFrame(head[3], head[4], ReadNumber(head + 5) & 0x7fffffff, head + 9, length);
      position += 9 + length;
    }
    return position;
  }

  void TakeFrame(uint8_t kind, uint8_t flags, uint32_t id, const uint8_t *payload, uint32_t length) {
    switch (kind) {
      case kData: TakeData(id, payload, length, flags); break;
      case kHeaders: TakeHeaders(id, payload, length, flags); break;
      case kSettings:
        if (flags & kAck) break;
        for (uint32_t at = 0; at + 6 <= length; at += 6) {
          if (payload[at] == 0 && payload[at + 1] == 4) {
            const uint32_t window = ReadNumber(payload + at + 2);
            for (Stream &stream : streams_) stream.window += int64_t(window) - peer_stream_window_;
            peer_stream_window_ = window;
          }
        }
        AppendFrameHead(output_, 0, kSettings, kAck, 0);
        is_greeted = true;
        break;
      case kPing:
        if (flags & kAck) break;
        AppendFrameHead(output_, length, kPing, kAck, 0);
        output_.append(reinterpret_cast<const char *>(payload), length);
        break;
      case kWindowUpdate: (id ? At(id).window : window_) += ReadNumber(payload); break;
      case kReset:
        // After the status, NO_ERROR only says that nothing more is read.
        if (ReadNumber(payload) != 0 || !At(id).has_ended) Fail("a stream was reset");
        break;
      case kGoAway: Fail("GOAWAY"); break;
      default: break;
    }
  }

  void TakeHeaders(uint32_t id, const uint8_t *payload, uint32_t length, uint8_t flags) {
    // None of the servers pads headers or splits them.
    if ((flags & kPadded) || !(flags & kEndHeaders)) Fail("headers that are not understood");
    Stream &stream = At(id);
    for (;;) {
      nghttp2_nv field;
      int state = 0;
      const ssize_t used = nghttp2_hd_inflate_hd2(inflater_, &field, &state, payload, length, 1);
      if (used < 0) Fail("a header block that cannot be read");
      payload += used;
      length -= uint32_t(used);
      if ((state & NGHTTP2_HD_INFLATE_EMIT) && field.namelen == 11 && !std::memcmp(field.name, "grpc-status", 11)) {
        stream.is_ok = field.valuelen == 1 && *field.value == '0';
      }
      if (state & NGHTTP2_HD_INFLATE_FINAL) break;
      if (!(state & NGHTTP2_HD_INFLATE_EMIT) && length == 0) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
    if (!stream.has_head) {
      stream.has_head = true;
      ++heads;
    }
    if (!(flags & kEndStream)) return;
    if (!stream.is_ok) Fail("a call has failed");
    stream.has_ended = true;
    ++ended;
  }

  void TakeData(uint32_t id, const uint8_t *octets, uint32_t length, uint8_t flags) {
    if (flags & (kPadded | kEndStream)) Fail("DATA that is not understood");
    Stream &stream = At(id);
    stream.octets += length;
    stream.unacknowledged += length;
    unacknowledged_ += length;
    if (stream.unacknowledged > kStreamWindow / 2) {
      AppendWindowUpdate(id, stream.unacknowledged);
      stream.unacknowledged = 0;
    }
    if (unacknowledged_ > kConnectionWindow / 2) {
      AppendWindowUpdate(0, unacknowledged_);
      unacknowledged_ = 0;
    }
    while (length) {
      if (stream.prefix_count < 5) {
        const uint32_t count = std::min<uint32_t>(5u - stream.prefix_count, length);
        std::memcpy(stream.prefix + stream.prefix_count, octets, count);
        stream.prefix_count += uint8_t(count);
        octets += count;
        length -= count;
        if (stream.prefix_count < 5) return;
        if (stream.prefix[0]) Fail("a compressed message");
        stream.remaining = ReadNumber(stream.prefix + 1);
        captured.clear();
      }
      const uint32_t count = std::min(stream.remaining, length);
      if (captured.size() + count <= kCaptured) captured.append(reinterpret_cast<const char *>(octets), count);
      octets += count;
      length -= count;
      stream.remaining -= count;
      if (stream.remaining) return;
      stream.prefix_count = 0;
      ++stream.messages;
      ++messages;
    }
  }

  std::string authority_, output_;
  std::vector<uint8_t> input_;
  std::vector<Stream> streams_;
  nghttp2_hd_inflater *inflater_ = nullptr;
  int socket_ = -1, poller_ = -1;
  size_t sent_ = 0;
  uint32_t unacknowledged_ = 0;
  int64_t window_ = kFirstWindow, peer_stream_window_ = kFirstWindow;
};

class Load {
 public:
  explicit Load(const std::string &address) : address_(address), poller_(epoll_create1(0)) {}

  Connection &Open() {
    connections_.push_back(std::make_unique<Connection>(address_, poller_));
    Connection &connection = *connections_.back();
    Until([&] { return connection.is_greeted; });
    return connection;
  }

  // Serves the connections until the condition holds. A reader that stays awake costs the server nothing to wake, as one
  // on another machine: over loopback it is the server's system call that interrupts the reader's processor.
  void Until(const std::function<bool()> &condition, bool stays_awake = false) {
    double heard = Now();
    while (!condition()) {
      epoll_event events[128];
      const int count = epoll_wait(poller_, events, 128, stays_awake ? 0 : kStallSeconds * 1000);
      if (count > 0) {
        heard = Now();
      } else if (Now() - heard >= kStallSeconds) {
        Fail("nothing has come for 30 s");
      }
      for (int index = 0; index < count; ++index) static_cast<Connection *>(events[index].data.ptr)->Drive();
    }
  }

  static double Begin() {
    std::puts("ready");
    std::fflush(stdout);
    char line[16];
    if (!std::fgets(line, sizeof line, stdin)) Fail("nobody says when to begin");
    return Now();
  }

 private:
  std::string address_;
  int poller_;
  std::vector<std::unique_ptr<Connection>> connections_;
};

void Report(uint64_t messages, double seconds) {
  std::printf("{\"messages\": %llu, \"seconds\": %.6f}\n", static_cast<unsigned long long>(messages), seconds);
}

void DownloadOnce(Load &load, Connection &connection, uint32_t count, uint32_t size, bool stays_awake) {
  const uint32_t id = connection.Call("Bench/Download"), ended = connection.ended;
  connection.SendWhole(id, StreamRequest(count, size), true);
  connection.Drive();
  load.Until([&] { return connection.ended > ended; }, stays_awake);
  const Stream &stream = connection.At(id);
  if (stream.messages != count || stream.octets < uint64_t(count) * size) Fail("not what Download sends");
}

void UploadOnce(Load &load, Connection &connection, uint32_t count, uint32_t size) {
  const uint32_t id = connection.Call("Bench/Upload"), ended = connection.ended;
  const std::string payload(size, 'x');
  uint32_t next = 0;
  std::string message = Framed(ChunkMessage(next, payload));
  size_t position = 0;
  load.Until([&] {
    // Until nothing can be sent although everything was read and written that could be: then an event will come.
    for (bool has_sent = next < count; has_sent;) {
      connection.Drive();
      has_sent = false;
      const size_t before = position;
      while (next < count && connection.Send(id, message, next + 1 == count, position)) {
        message = Framed(ChunkMessage(++next, payload));
        position = 0;
        has_sent = true;
      }
      has_sent = has_sent || position > before;
    }
    return connection.ended > ended;
  });
  if (connection.captured != ChunkMessage(count, std::to_string(uint64_t(count) * size))) Fail("not Upload's answer");
}

void Measure(const std::string &address, const std::string &mode, uint32_t count, uint32_t size, double seconds) {
  Load load(address);
  Connection &connection = load.Open();
  const auto once = [&](uint32_t messages) {
    if (mode == "upload") {
      UploadOnce(load, connection, messages, size);
    } else {
      DownloadOnce(load, connection, messages, size, mode == "download");
    }
  };
  once(std::max(1u, count / 20));
  const double begin = Load::Begin();
  uint64_t messages = 0;
  do {
    once(count);
    messages += count;
  } while (Now() - begin < seconds);
  Report(messages, Now() - begin);
}

void Echo(const std::string &address, double seconds) {
  Load load(address);
  Connection &connection = load.Open();
  const std::string request = Framed("\x0a" + std::string(1, char(kEchoSize)) + std::string(kEchoSize, 'x'));
  auto once = [&] {
    const uint32_t id = connection.Call("Bench/Echo"), ended = connection.ended;
    const double begin = Now();
    connection.SendWhole(id, request, true);
    connection.Drive();
    load.Until([&] { return connection.ended > ended; });
    if (connection.At(id).octets != request.size()) Fail("not Echo's answer");
    return Now() - begin;
  };
  for (int warm = 0; warm < 500; ++warm) once();
  std::vector<double> times;
  const double begin = Load::Begin();
  while (Now() - begin < seconds) times.push_back(once() * 1e6);
  const double elapsed = Now() - begin;
  std::sort(times.begin(), times.end());
  std::printf("{\"messages\": %zu, \"seconds\": %.6f, \"p50\": %.2f, \"p99\": %.2f}\n", times.size(), elapsed,
              times[times.size() / 2], times[times.size() * 99 / 100]);
}

void FanOut(const std::string &address, uint32_t connections, uint32_t readers, uint32_t ahead, double seconds) {
  Load load(address);
  std::vector<Connection *> all;
  for (uint32_t number = 0; number < connections; ++number) {
    Connection &connection = load.Open();
    const uint32_t mine = readers / connections + (number < readers % connections);
    // One connection after the other, so that no server has to queue what it has to accept.
    for (uint32_t index = 0; index < mine; ++index) {
      connection.SendWhole(connection.Call("Broadcast/Subscribe"), Framed(""), true);
    }
    connection.Drive();
    load.Until([&] { return connection.heads == mine; });
    all.push_back(&connection);
  }
  Connection &publisher = load.Open();
  const uint32_t stream = publisher.Call("Broadcast/Publish");
  const std::string payload(100, 'x');
  uint64_t published = 0;
  bool is_publishing = true;
  auto delivered = [&] {
    uint64_t sum = 0;
    for (const Connection *connection : all) sum += connection->messages;
    return sum;
  };
  const double begin = Load::Begin();
  load.Until([&] {
    const uint64_t got = delivered();
    is_publishing = is_publishing && Now() - begin < seconds;
    if (!is_publishing) return got == published * readers;
    const uint64_t before = published;
    for (; published < got / readers + ahead; ++published) {
      publisher.SendWhole(stream, Framed(ChunkMessage(published, payload)), false);
    }
    if (published > before) publisher.Drive();
    return false;
  });
  Report(published * readers, Now() - begin);
}

}  // namespace

int main(int argc, char **argv) {
  const std::string mode = argc > 2 ? argv[2] : "";
  auto number = [&](int index) { return uint32_t(std::strtoul(argv[index], nullptr, 10)); };
  if ((mode == "download" || mode == "sleepy-download" || mode == "upload") && argc == 6) {
    Measure(argv[1], mode, number(3), number(4), std::atof(argv[5]));
  } else if (mode == "echo" && argc == 4) {
    Echo(argv[1], std::atof(argv[3]));
  } else if (mode == "fanout" && argc == 7) {
    FanOut(argv[1], number(3), number(4), number(5), std::atof(argv[6]));
  } else {
    Fail("see the head of stream_load.cc for its arguments");
  }
}
