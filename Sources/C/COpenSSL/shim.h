#ifndef OCTET_COPENSSL_H
#define OCTET_COPENSSL_H

#include <openssl/ssl.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/pem.h>

#endif
