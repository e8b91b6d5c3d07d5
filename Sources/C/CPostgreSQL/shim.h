#ifndef OCTET_CPOSTGRESQL_H
#define OCTET_CPOSTGRESQL_H

#include <libpq-fe.h>

#endif
