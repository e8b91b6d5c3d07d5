#ifndef OCTET_COPENSSL_H
#define OCTET_COPENSSL_H

// SHA256_CTX is the one hash of OpenSSL whose state can be stored; it is deprecated in favour of one whose cannot.
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
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

// Sessions are resumed from tickets; nothing is kept on the server. One ticket a connection: a client that opens
// several at once gets one from each.
static inline int octet_ssl_ctx_use_tickets_only(SSL_CTX *context, long seconds) {
  static const unsigned char scope[] = "octet";
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_timeout(context, seconds);
  return SSL_CTX_set_num_tickets(context, 1) == 1 &&
         SSL_CTX_set_session_id_context(context, scope, sizeof(scope) - 1) == 1;
}

// Prepares to encrypt or decrypt a ticket, and to authenticate it, with keys of twice 32 octets.
static inline int octet_ticket_prepare(EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, const unsigned char *keys,
                                       unsigned char *iv, int encrypts) {
  OSSL_PARAM parameters[3];
  char digest[] = "SHA256";
  parameters[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(keys + 32), 32);
  parameters[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
  parameters[2] = OSSL_PARAM_construct_end();
  if (encrypts && RAND_bytes(iv, 16) != 1) return 0;
  return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, keys, iv, encrypts) == 1 &&
         EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

static inline void octet_ssl_ctx_on_server_name(SSL_CTX *context, int (*callback)(SSL *, int *, void *),
                                                void *argument) {
  SSL_CTX_set_tlsext_servername_callback(context, callback);
  SSL_CTX_set_tlsext_servername_arg(context, argument);
}

// The text of the certificate's subject as RFC 2253 has it, without a NUL; returns its length.
static inline int octet_x509_subject(X509 *certificate, char *text, int capacity) {
  BIO *memory = BIO_new(BIO_s_mem());
  int length = 0;
  if (memory == NULL) return 0;
  if (X509_NAME_print_ex(memory, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
    length = BIO_read(memory, text, capacity);
  }
  BIO_free(memory);
  return length > 0 ? length : 0;
}

// The alternative names of a certificate, to be freed with GENERAL_NAMES_free, or NULL.
static inline GENERAL_NAMES *octet_x509_alternative_names(X509 *certificate) {
  return (GENERAL_NAMES *)X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
}

static inline int octet_alternative_name_count(const GENERAL_NAMES *names) { return sk_GENERAL_NAME_num(names); }

// The type (GEN_EMAIL, GEN_DNS or GEN_URI) and the octets of a name, or -1 for one of another type.
static inline int octet_alternative_name(const GENERAL_NAMES *names, int index, const unsigned char **octets,
                                         int *length) {
  const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
  if (name->type != GEN_EMAIL && name->type != GEN_DNS && name->type != GEN_URI) return -1;
  *octets = ASN1_STRING_get0_data(name->d.ia5);
  *length = ASN1_STRING_length(name->d.ia5);
  return name->type;
}

static inline int octet_ssl_set_server_name(SSL *ssl, const char *name) {
  return SSL_set_tlsext_host_name(ssl, name) == 1;
}

#endif
