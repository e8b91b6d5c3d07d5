// A plain C program that runs the statements of storage-bench's orders or transfers with prepared statements and a
// fixed number of transactions in each COMMIT: what a group commit costs without the storage layer around it. It has no
// savepoints, as the storage layer has none where all goes well, and SQLite's own checkpoints, which are a part of the
// commit that finds the log long.
//
// Usage: plain_sqlite orders|transfers PATH SECONDS BATCH
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PRODUCTS = 10000, ACCOUNTS = 100000 };

static sqlite3 *db;

static void check(int result, int expected) {
  if (result == expected) return;
  fprintf(stderr, "SQLite: %d, %s\n", result, sqlite3_errmsg(db));
  exit(1);
}

static void run(const char *sql) { check(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK); }

static sqlite3_stmt *prepared(const char *sql) {
  sqlite3_stmt *statement;
  check(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL), SQLITE_OK);
  return statement;
}

static void integer(sqlite3_stmt *statement, int index, int64_t value) {
  check(sqlite3_bind_int64(statement, index, value), SQLITE_OK);
}

static void blob(sqlite3_stmt *statement, int index, const void *bytes, int count) {
  check(sqlite3_bind_blob(statement, index, bytes, count, SQLITE_STATIC), SQLITE_OK);
}

static void finish(sqlite3_stmt *statement) {
  check(sqlite3_step(statement), SQLITE_DONE);
  sqlite3_reset(statement);
}

static void finish_one(sqlite3_stmt *statement) {
  finish(statement);
  if (sqlite3_changes64(db) != 1) {
    fprintf(stderr, "a conditional update changed %lld rows\n", (long long)sqlite3_changes64(db));
    exit(1);
  }
}

static int64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

// splitmix64
static uint64_t seed = 1;
static uint64_t next_random(void) {
  uint64_t z = (seed += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static int64_t below(uint64_t bound) { return (int64_t)(((unsigned __int128)next_random() * bound) >> 64); }

static int64_t next_id(void) {
  static int64_t last;
  int64_t id = (nanoseconds() / 1000000 - 1704067200000LL) << 22;
  return last = id > last ? id : last + 1;
}

static const char *schema =
    "CREATE TABLE bench_products (id INTEGER PRIMARY KEY, stock INTEGER NOT NULL) STRICT;"
    "CREATE TABLE bench_orders (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL, total INTEGER NOT NULL,"
    "  state INTEGER NOT NULL, created_at INTEGER NOT NULL) STRICT;"
    "CREATE TABLE bench_items (order_id INTEGER NOT NULL, line INTEGER NOT NULL, product INTEGER NOT NULL,"
    "  quantity INTEGER NOT NULL, price INTEGER NOT NULL, PRIMARY KEY (order_id, line)) WITHOUT ROWID, STRICT;"
    "CREATE TABLE octet_outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, payload BLOB NOT NULL,"
    "  created_at INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, retry_at INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE INDEX octet_outbox_channel ON octet_outbox (channel, id);"
    "CREATE TABLE bench_accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL, last_entry INTEGER NOT NULL) STRICT;"
    "CREATE TABLE bench_transfers (id INTEGER PRIMARY KEY, debtor INTEGER NOT NULL, creditor INTEGER NOT NULL,"
    "  amount INTEGER NOT NULL, created_at INTEGER NOT NULL) STRICT;"
    "CREATE TABLE bench_entries (id INTEGER PRIMARY KEY, account INTEGER NOT NULL, amount INTEGER NOT NULL,"
    "  previous INTEGER NOT NULL) STRICT;"
    "CREATE TABLE octet_requests (request_id BLOB NOT NULL, caller INTEGER NOT NULL, method INTEGER NOT NULL,"
    "  hash BLOB NOT NULL, reply BLOB NOT NULL, created_at INTEGER NOT NULL,"
    "  PRIMARY KEY (request_id, caller, method)) WITHOUT ROWID, STRICT;"
    "CREATE TABLE octet_requests_b (request_id BLOB NOT NULL, caller INTEGER NOT NULL, method INTEGER NOT NULL,"
    "  hash BLOB NOT NULL, reply BLOB NOT NULL, created_at INTEGER NOT NULL,"
    "  PRIMARY KEY (request_id, caller, method)) WITHOUT ROWID, STRICT;"
    "CREATE TABLE octet_request_generation (id INTEGER PRIMARY KEY, newest INTEGER NOT NULL,"
    "  is_turning INTEGER NOT NULL, since INTEGER NOT NULL) STRICT;"
    "INSERT INTO octet_request_generation VALUES (1, 0, 0, 0);";

static sqlite3_stmt *insert_order, *take, *insert_item, *append;
static unsigned char payload[100];

static void order(void) {
  int64_t id = next_id();
  integer(insert_order, 1, id);
  integer(insert_order, 2, below(1000000));
  integer(insert_order, 3, 4200);
  integer(insert_order, 4, 1);
  integer(insert_order, 5, nanoseconds());
  finish(insert_order);
  for (int line = 0; line < 2; line++) {
    int64_t product = below(PRODUCTS);
    integer(take, 1, product);
    integer(take, 2, 1);
    finish_one(take);
    integer(insert_item, 1, id);
    integer(insert_item, 2, line);
    integer(insert_item, 3, product);
    integer(insert_item, 4, 1);
    integer(insert_item, 5, 2100);
    finish(insert_item);
  }
  check(sqlite3_bind_text(append, 1, "orders", 6, SQLITE_STATIC), SQLITE_OK);
  blob(append, 2, payload, sizeof payload);
  integer(append, 3, nanoseconds());
  finish(append);
}

static sqlite3_stmt *look_up, *insert_request, *insert_entry, *move, *insert_transfer;

static void transfer(void) {
  int64_t id = next_id();
  unsigned char request[16];
  uint64_t high = 1ULL << 60 | ((uint64_t)id >> 22) << 16 | (id & 0xffff), low = next_random();
  for (int index = 0; index < 8; index++) {
    request[index] = high >> (56 - 8 * index);
    request[8 + index] = low >> (56 - 8 * index);
  }
  blob(look_up, 1, request, sizeof request);
  integer(look_up, 2, 1);
  integer(look_up, 3, 1);
  check(sqlite3_step(look_up), SQLITE_ROW);
  if (sqlite3_column_type(look_up, 2) != SQLITE_NULL) exit(1);
  sqlite3_reset(look_up);
  int64_t debtor = below(ACCOUNTS), creditor = (debtor + 1 + below(ACCOUNTS - 1)) % ACCOUNTS;
  for (int side = 0; side < 2; side++) {
    int64_t account = side ? creditor : debtor, amount = side ? 5 : -5;
    integer(insert_entry, 1, 2 * id + side);
    integer(insert_entry, 2, account);
    integer(insert_entry, 3, amount);
    finish(insert_entry);
    integer(move, 1, account);
    integer(move, 2, amount);
    integer(move, 3, 2 * id + side);
    finish_one(move);
  }
  integer(insert_transfer, 1, id);
  integer(insert_transfer, 2, debtor);
  integer(insert_transfer, 3, creditor);
  integer(insert_transfer, 4, 5);
  integer(insert_transfer, 5, nanoseconds());
  finish(insert_transfer);
  blob(insert_request, 1, request, sizeof request);
  integer(insert_request, 2, 1);
  integer(insert_request, 3, 1);
  blob(insert_request, 4, payload, 16);
  blob(insert_request, 5, payload, 24);
  integer(insert_request, 6, nanoseconds());
  finish(insert_request);
}

static void prepare(void) {
  insert_order = prepared("INSERT INTO bench_orders (id, customer, total, state, created_at) VALUES (?1, ?2, ?3, ?4, ?5)");
  take = prepared("UPDATE bench_products SET stock = stock - ?2 WHERE id = ?1 AND stock >= ?2");
  insert_item =
      prepared("INSERT INTO bench_items (order_id, line, product, quantity, price) VALUES (?1, ?2, ?3, ?4, ?5)");
  append = prepared("INSERT INTO octet_outbox (channel, payload, created_at) VALUES (?1, ?2, ?3)");
  look_up = prepared(
      "SELECT g.newest, g.is_turning, r.hash, r.reply FROM octet_request_generation g LEFT JOIN ("
      "SELECT hash, reply FROM octet_requests WHERE request_id = ?1 AND caller = ?2 AND method = ?3 UNION ALL "
      "SELECT hash, reply FROM octet_requests_b WHERE request_id = ?1 AND caller = ?2 AND method = ?3"
      ") r ON 1 = 1 WHERE g.id = 1");
  insert_request = prepared(
      "INSERT INTO octet_requests (request_id, caller, method, hash, reply, created_at)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING");
  insert_entry = prepared(
      "INSERT INTO bench_entries (id, account, amount, previous)"
      " SELECT ?1, id, ?3, last_entry FROM bench_accounts WHERE id = ?2");
  move = prepared(
      "UPDATE bench_accounts SET balance = balance + ?2, last_entry = ?3 WHERE id = ?1 AND balance + ?2 >= 0");
  insert_transfer =
      prepared("INSERT INTO bench_transfers (id, debtor, creditor, amount, created_at) VALUES (?1, ?2, ?3, ?4, ?5)");
}

int main(int count, char **arguments) {
  if (count != 5) {
    fprintf(stderr, "usage: plain_sqlite orders|transfers PATH SECONDS BATCH\n");
    return 64;
  }
  void (*transact)(void) = strcmp(arguments[1], "orders") == 0 ? order : transfer;
  int batch = atoi(arguments[4]);
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  check(sqlite3_open_v2(arguments[2], &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL),
        SQLITE_OK);
  run("PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
      "PRAGMA cache_size = -262144; PRAGMA wal_autocheckpoint = 10000; PRAGMA mmap_size = 0;"
      "PRAGMA temp_store = MEMORY");
  run(schema);
  run("WITH RECURSIVE s (v) AS (SELECT 0 UNION ALL SELECT v + 1 FROM s WHERE v < 9999)"
      " INSERT INTO bench_products SELECT v, 1000000000 FROM s");
  run("WITH RECURSIVE s (v) AS (SELECT 0 UNION ALL SELECT v + 1 FROM s WHERE v < 99999)"
      " INSERT INTO bench_accounts SELECT v, 1000000000, 0 FROM s");
  memset(payload, 7, sizeof payload);
  prepare();
  sqlite3_stmt *begin = prepared("BEGIN IMMEDIATE"), *commit = prepared("COMMIT");
  int64_t start = nanoseconds(), end = start + atoi(arguments[3]) * 1000000000LL, done = 0;
  while (nanoseconds() < end) {
    finish(begin);
    for (int index = 0; index < batch; index++) transact();
    finish(commit);
    done += batch;
  }
  printf("%.0f\n", done / ((nanoseconds() - start) / 1e9));
  return 0;
}
