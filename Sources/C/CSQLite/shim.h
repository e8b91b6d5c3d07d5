#ifndef OCTET_CSQLITE_H
#define OCTET_CSQLITE_H

#include <sqlite3.h>

// SQLite's accounting of memory takes a global lock for every allocation. Only before the first connection.
static inline int octet_sqlite_stop_memory_accounting(void) { return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }

#endif
