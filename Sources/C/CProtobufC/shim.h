#ifndef OCTET_CPROTOBUFC_H
#define OCTET_CPROTOBUFC_H

#include <protobuf-c/protobuf-c.h>

#endif
