#ifndef OCTET_CSODIUM_H
#define OCTET_CSODIUM_H

#include <sodium.h>

#endif
