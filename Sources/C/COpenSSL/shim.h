#ifndef OCTET_COPENSSL_H
#define OCTET_COPENSSL_H

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

// Macros that Swift cannot see, and one callback whose answer must outlive the call.

// TLS 1.2 at least; with 1.2 only the forward-secret AEAD suites that HTTP/2 allows (RFC 9113 §9.2.2).
static inline int octet_ssl_ctx_use_modern_tls(SSL_CTX *context) {
  return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
         SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1;
}

// Buffers are given back while a connection is idle; a write may be repeated from another place in memory and
// may take a part; several records are received in one read.
static inline void octet_ssl_ctx_tune(SSL_CTX *context) {
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_read_ahead(context, 1);
}

static inline int octet_ssl_select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                                            const unsigned char *offered, unsigned int offered_length,
                                            void *argument) {
  static const unsigned char spoken[] = {2, 'h', '2', 8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  (void)ssl;
  (void)argument;
  if (SSL_select_next_proto((unsigned char **)out, out_length, spoken, sizeof(spoken), offered,
                            offered_length) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  return SSL_TLSEXT_ERR_OK;
}

// The server takes h2, or else http/1.1, and refuses clients that offer ALPN without either.
static inline void octet_ssl_ctx_select_protocol(SSL_CTX *context) {
  SSL_CTX_set_alpn_select_cb(context, octet_ssl_select_protocol, NULL);
}

// The client offers h2 alone.
static inline int octet_ssl_ctx_offer_h2(SSL_CTX *context) {
  static const unsigned char h2[] = {2, 'h', '2'};
  return SSL_CTX_set_alpn_protos(context, h2, sizeof(h2)) == 0;
}

static inline void octet_ssl_ctx_keep_client_sessions(SSL_CTX *context) {
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
}

// Sessions are resumed from tickets; nothing is kept on the server.
static inline void octet_ssl_ctx_use_tickets_only(SSL_CTX *context) {
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}

static inline int octet_ssl_set_server_name(SSL *ssl, const char *name) {
  return SSL_set_tlsext_host_name(ssl, name) == 1;
}

#endif
