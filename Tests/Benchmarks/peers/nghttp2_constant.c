// A plain HTTP/2 server on nghttp2 that gives every request the same answer, an echo's of 100 bytes: what HTTP/2 itself
// costs without gRPC, one thread and no limits.
#include <arpa/inet.h>
#include <nghttp2/nghttp2.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAYLOAD = 100, ANSWER = 5 + 2 + PAYLOAD, INPUT = 1 << 16, OUTPUT = 1 << 18, EVENTS = 64 };

struct connection {
  int socket;
  nghttp2_session *session;
  size_t pending, sent;
  uint8_t output[OUTPUT];
};

static uint8_t answer[ANSWER] = {0, 0, 0, 0, 2 + PAYLOAD, 0x0a, PAYLOAD};
static uint8_t input[INPUT];

#define FIELD(NAME, VALUE)                                                          \
  {(uint8_t *)(NAME), (uint8_t *)(VALUE), sizeof(NAME) - 1, sizeof(VALUE) - 1,      \
   NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE}

static ssize_t read_answer(nghttp2_session *session, int32_t stream, uint8_t *buffer, size_t size, uint32_t *flags,
                           nghttp2_data_source *source, void *user) {
  (void)size, (void)source, (void)user;
  // 107 octets fit into any DATA frame that nghttp2 asks for while the windows are open, as h2load keeps them.
  memcpy(buffer, answer, ANSWER);
  *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
  const nghttp2_nv trailers[] = {FIELD("grpc-status", "0")};
  nghttp2_submit_trailer(session, stream, trailers, 1);
  return ANSWER;
}

static int frame_received(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
  (void)user;
  if ((frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) ||
      !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
    return 0;
  }
  const nghttp2_nv head[] = {FIELD(":status", "200"), FIELD("content-type", "application/grpc")};
  const nghttp2_data_provider provider = {.read_callback = read_answer};
  return nghttp2_submit_response(session, frame->hd.stream_id, head, 2, &provider);
}

// Returns 0 if the connection is at its end.
static int flush(struct connection *connection) {
  for (;;) {
    while (connection->sent < connection->pending) {
      ssize_t count = send(connection->socket, connection->output + connection->sent,
                           connection->pending - connection->sent, MSG_NOSIGNAL);
      if (count <= 0) return 0;
      connection->sent += count;
    }
    connection->sent = connection->pending = 0;
    for (;;) {
      const uint8_t *octets;
      ssize_t count = nghttp2_session_mem_send(connection->session, &octets);
      if (count < 0) return 0;
      if (count == 0) break;
      memcpy(connection->output + connection->pending, octets, count);
      connection->pending += count;
      // A frame has 16 KiB at most; stop while another one still fits.
      if (connection->pending > OUTPUT / 2) break;
    }
    if (connection->pending == 0) return 1;
  }
}

static int receive(struct connection *connection) {
  ssize_t count = recv(connection->socket, input, INPUT, 0);
  if (count <= 0) return 0;
  return nghttp2_session_mem_recv(connection->session, input, count) >= 0 && flush(connection);
}

static void accept_one(int listener, int poller, nghttp2_session_callbacks *callbacks, nghttp2_option *option) {
  struct connection *connection = calloc(1, sizeof *connection);
  if (!connection) exit(EXIT_FAILURE);
  connection->socket = accept(listener, NULL, NULL);
  int on = 1;
  setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  nghttp2_session_server_new2(&connection->session, callbacks, connection, option);
  const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1024}};
  nghttp2_submit_settings(connection->session, NGHTTP2_FLAG_NONE, settings, 1);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
  epoll_ctl(poller, EPOLL_CTL_ADD, connection->socket, &event);
  flush(connection);
}

int main(void) {
  memset(answer + ANSWER - PAYLOAD, 'x', PAYLOAD);
  nghttp2_session_callbacks *callbacks;
  nghttp2_option *option;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frame_received);
  nghttp2_option_new(&option);
  // Without this nghttp2 keeps streams that are over, and is a third slower.
  nghttp2_option_set_no_closed_streams(option, 1);

  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, SOMAXCONN) ||
      getsockname(listener, (struct sockaddr *)&address, &size)) {
    perror("nghttp2_constant");
    return EXIT_FAILURE;
  }
  printf("ready listen=127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);
  int poller = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN};
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(poller, events, EVENTS, -1);
    for (int index = 0; index < count; index++) {
      struct connection *connection = events[index].data.ptr;
      if (!connection) {
        accept_one(listener, poller, callbacks, option);
      } else if (!receive(connection)) {
        nghttp2_session_del(connection->session);
        close(connection->socket);
        free(connection);
      }
    }
  }
}
