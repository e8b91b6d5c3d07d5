#ifndef OCTET_CLINUX_H
#define OCTET_CLINUX_H

// What the Glibc module of the toolchain leaves out: epoll, eventfd, accept4 and friends.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

// SIG_IGN is a cast of an integer to a function pointer, which Swift does not import.
static inline void octet_ignore_sigpipe(void) { signal(SIGPIPE, SIG_IGN); }

#endif
