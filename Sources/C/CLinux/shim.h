#ifndef OCTET_CLINUX_H
#define OCTET_CLINUX_H

// What the Glibc module of the toolchain leaves out: epoll, eventfd, accept4 and friends.
//
// _GNU_SOURCE is not defined here: it would change structures that the toolchain's own Glibc module has built
// without it, and the compiler refuses programs that see both. The few functions that hide behind it are declared
// below instead.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <poll.h>
#include <pthread.h>
#include <resolv.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern int accept4(int socket, struct sockaddr *address, socklen_t *length, int flags);
extern int pipe2(int ends[2], int flags);
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int first);
extern int pthread_getname_np(pthread_t thread, char *name, size_t size);
extern int pthread_setname_np(pthread_t thread, const char *name);

// Variadic functions are not imported.
static inline int octet_open(const char *path, int flags, mode_t mode) { return open(path, flags, mode); }

// SIG_IGN is a cast of an integer to a function pointer, which Swift does not import.
static inline void octet_ignore_sigpipe(void) { signal(SIGPIPE, SIG_IGN); }

// The processors that the process may use; sysconf counts those of the machine.
static inline int octet_available_processors(void) {
  unsigned long set[16] = {0};
  long size = syscall(SYS_sched_getaffinity, 0, sizeof(set), set);
  int count = 0;
  for (long index = 0; index < size / (long)sizeof(set[0]); index++) count += __builtin_popcountl(set[index]);
  return count > 0 ? count : 1;
}

// Raises the soft limit of open files to the hard one; the resource's name has another type in each C library.
static inline unsigned long octet_raise_open_files(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur < limit.rlim_max) {
    struct rlimit raised = {limit.rlim_max, limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return raised.rlim_cur;
  }
  return limit.rlim_cur;
}

// Asks DNS for the TXT records of a name: those servers that the machine is set up for, or the given one. res_ninit is a
// macro, and the state's members are arrays that Swift imports as tuples. Returns the length of the answer, or -1 with
// the reason as in h_errno.
static inline int octet_query_txt(
    const char *name, const struct sockaddr_in *server, int seconds, int tries, unsigned char *answer, int size,
    int *reason) {
  struct __res_state state;
  memset(&state, 0, sizeof(state));
  if (res_ninit(&state) != 0) {
    *reason = NO_RECOVERY;
    return -1;
  }
  if (server) {
    state.nsaddr_list[0] = *server;
    state.nscount = 1;
  }
  state.retrans = seconds;
  state.retry = tries;
  int length = res_nquery(&state, name, C_IN, T_TXT, answer, size);
  *reason = state.res_h_errno;
  res_nclose(&state);
  return length;
}

// A mutable global, which Swift does not let concurrent code read; nobody in this package changes it.
extern char **environ;
static inline char **octet_environment(void) { return environ; }

// CRC-32C (Castagnoli) by the processor's own instruction: about 8 GB/s where a table gives 0.4. The instruction is one
// that not every processor has, so the compiler emits it in these functions alone; ask octet_has_crc32c first. The
// checksum is given and returned inverted, as the instruction works on it.
#if defined(__x86_64__)
static inline int octet_has_crc32c(void) { return __builtin_cpu_supports("sse4.2") != 0; }

__attribute__((target("sse4.2"))) static inline unsigned int octet_crc32c(
    unsigned int checksum, const unsigned char *bytes, size_t count) {
  unsigned long long wide = checksum;
  for (; count >= 8; bytes += 8, count -= 8) {
    unsigned long long word;
    memcpy(&word, bytes, 8);
    wide = __builtin_ia32_crc32di(wide, word);
  }
  checksum = (unsigned int)wide;
  for (; count > 0; bytes++, count--) checksum = __builtin_ia32_crc32qi(checksum, *bytes);
  return checksum;
}
#elif defined(__ARM_FEATURE_CRC32)
static inline int octet_has_crc32c(void) { return 1; }

static inline unsigned int octet_crc32c(unsigned int checksum, const unsigned char *bytes, size_t count) {
  for (; count >= 8; bytes += 8, count -= 8) {
    unsigned long long word;
    memcpy(&word, bytes, 8);
    checksum = __builtin_arm_crc32cd(checksum, word);
  }
  for (; count > 0; bytes++, count--) checksum = __builtin_arm_crc32cb(checksum, *bytes);
  return checksum;
}
#else
static inline int octet_has_crc32c(void) { return 0; }

static inline unsigned int octet_crc32c(unsigned int checksum, const unsigned char *bytes, size_t count) {
  (void)bytes;
  (void)count;
  return checksum;
}
#endif

#endif
