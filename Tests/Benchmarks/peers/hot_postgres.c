// Transfers between two rows by connections of libpq that know nothing of each other: what hot rows cost without the
// storage layer. Each connection has a thread and prepared statements, and sends one statement after the other.
//
// Usage: hot_postgres URL SECONDS CONNECTIONS committed|serializable one|both
#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *url, *begin;
static int goes_both_ways;
static double end_time;
static atomic_long done, retried;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

// Returns whether it went well; a lost race is no failure of the program's.
static int finish(PGconn *connection, PGresult *result) {
  ExecStatusType status = PQresultStatus(result);
  const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  int is_well = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
  if (!is_well && (!state || (strcmp(state, "40001") && strcmp(state, "40P01")))) {
    fprintf(stderr, "%s", PQerrorMessage(connection));
    exit(1);
  }
  PQclear(result);
  return is_well;
}

static int update(PGconn *connection, const char *name, const char *id) {
  const char *values[] = {id};
  return finish(connection, PQexecPrepared(connection, name, 1, values, NULL, NULL, 1));
}

static void *transfer(void *argument) {
  unsigned seed = (unsigned)(size_t)argument;
  PGconn *connection = PQconnectdb(url);
  if (PQstatus(connection) != CONNECTION_OK) {
    fprintf(stderr, "%s", PQerrorMessage(connection));
    exit(1);
  }
  finish(connection, PQprepare(connection, "take",
    "UPDATE peer_hot SET balance = balance - 1 WHERE id = $1 AND balance >= 1", 0, NULL));
  finish(connection, PQprepare(connection, "give", "UPDATE peer_hot SET balance = balance + 1 WHERE id = $1", 0, NULL));
  while (now() < end_time) {
    int is_reversed = goes_both_ways && rand_r(&seed) / (RAND_MAX / 2 + 1);
    finish(connection, PQexec(connection, begin));
    int is_well = update(connection, "take", is_reversed ? "2" : "1") &&
      update(connection, "give", is_reversed ? "1" : "2") && finish(connection, PQexec(connection, "COMMIT"));
    if (is_well) {
      atomic_fetch_add(&done, 1);
    } else {
      atomic_fetch_add(&retried, 1);
      finish(connection, PQexec(connection, "ROLLBACK"));
    }
  }
  PQfinish(connection);
  return NULL;
}

int main(int count, char **arguments) {
  if (count != 6) return 2;
  url = arguments[1];
  double seconds = atof(arguments[2]);
  int connections = atoi(arguments[3]);
  begin = strcmp(arguments[4], "serializable") ? "BEGIN" : "BEGIN ISOLATION LEVEL SERIALIZABLE";
  goes_both_ways = !strcmp(arguments[5], "both");
  PGconn *connection = PQconnectdb(url);
  finish(connection, PQexec(connection, "DROP TABLE IF EXISTS peer_hot"));
  finish(connection, PQexec(connection, "CREATE TABLE peer_hot (id BIGINT PRIMARY KEY, balance BIGINT NOT NULL)"));
  finish(connection, PQexec(connection, "INSERT INTO peer_hot VALUES (1, 1000000000000), (2, 1000000000000)"));
  PQfinish(connection);
  double start = now();
  end_time = start + seconds;
  pthread_t threads[256];
  for (int i = 0; i < connections && i < 256; i++) pthread_create(&threads[i], NULL, transfer, (void *)(size_t)(i + 1));
  for (int i = 0; i < connections && i < 256; i++) pthread_join(threads[i], NULL);
  double elapsed = now() - start;
  printf("%.0f %.0f\n", done / elapsed, retried / elapsed);
  return 0;
}
