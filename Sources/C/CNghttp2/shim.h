#ifndef OCTET_CNGHTTP2_H
#define OCTET_CNGHTTP2_H

#include <nghttp2/nghttp2.h>

#endif
