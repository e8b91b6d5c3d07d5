#ifndef OCTET_CZLIB_H
#define OCTET_CZLIB_H

#include <zlib.h>

// zlib's initialisers are macros, which Swift does not see. 16 more than the window's bits asks for gzip's frame.

static inline int octet_deflate_init(z_streamp stream, int level) {
  return deflateInit2(stream, level, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
}

static inline int octet_inflate_init(z_streamp stream) { return inflateInit2(stream, MAX_WBITS + 16); }

#endif
