#ifndef OCTET_CSQLITE_H
#define OCTET_CSQLITE_H

#include <sqlite3.h>

#endif
