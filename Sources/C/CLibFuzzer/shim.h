#ifndef OCTET_CLIBFUZZER_H
#define OCTET_CLIBFUZZER_H

#include <stddef.h>
#include <stdint.h>

// libFuzzer as a library, which comes with the compiler (-sanitize=fuzzer) and has no header of its own.
extern int LLVMFuzzerRunDriver(int *count, char ***arguments, int (*run)(const uint8_t *data, size_t size));

#endif
