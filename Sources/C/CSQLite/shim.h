#ifndef OCTET_CSQLITE_H
#define OCTET_CSQLITE_H

#include <sqlite3.h>

// SQLite's accounting of memory takes a global lock for every allocation. Only before the first connection.
static inline int octet_sqlite_stop_memory_accounting(void) { return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }

// The last connection to close then leaves the log beside the file, to be recovered from.
static inline int octet_sqlite_keep_log_on_close(sqlite3 *connection) {
  return sqlite3_db_config(connection, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)0);
}

#endif
