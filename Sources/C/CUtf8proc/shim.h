#ifndef OCTET_CUTF8PROC_H
#define OCTET_CUTF8PROC_H

#include <utf8proc.h>

// The options are an enumeration of which each value is a set of flags; Swift would not let them be combined. Takes a
// code point apart by compatibility, folds its case, and drops it if it is not to be seen.
static inline utf8proc_ssize_t octet_fold(utf8proc_int32_t code_point, utf8proc_int32_t *out, utf8proc_ssize_t size) {
  int unused = 0;
  return utf8proc_decompose_char(
      code_point, out, size,
      (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE),
      &unused);
}

#endif
