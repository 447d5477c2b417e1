/*
 * Loaded before the program (LD_PRELOAD): writes down, in order, what the program asks of the disk below HOOP_SHIM_ROOT and what it
 * says on its standard output. A line of text per operation, to HOOP_SHIM_LOG, data after the line:
 *   open <file> <path>             the file of this path is called by this number from now on (it is made if it is not there)
 *   write <file> <offset> <bytes>  logged before it is done: from then on any part of it may be on disk
 *   sync <file>                    logged after it is done, with `sync-begin <file>` before: what was written before the begin is on disk
 *   syncdir-begin <path>, syncdir <path>
 *   rename <old> <new>, unlink <path>, mkdir <path>, truncate <file> <bytes>
 *   said <bytes>                   the program's output
 * HOOP_SHIM_FAIL=<n>:<errno> makes the n-th operation fail (every one counts but the output), <n>:short takes half of the n-th, if it
 * is a write, and answers the next one with ENOSPC. HOOP_SHIM_SYNC_MILLIS: every sync takes so much longer.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS 4096
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1, next_file = 1, files[FDS];
static char *folders[FDS];
static const char *root;
static int sync_millis, fail_at, fail_with, operations; /* fail_with 0: a short write */

static void raw(const void *bytes, size_t length) {
  const char *at = bytes;
  while (length > 0) {
    long done = syscall(SYS_write, log_fd, at, length);
    if (done <= 0) abort();
    at += done;
    length -= done;
  }
}

static void line(const char *format, ...) {
  char text[8192];
  va_list values;
  va_start(values, format);
  int length = vsnprintf(text, sizeof text, format, values);
  va_end(values);
  raw(text, length);
}

__attribute__((constructor)) static void start(void) {
  root = getenv("HOOP_SHIM_ROOT");
  const char *path = getenv("HOOP_SHIM_LOG");
  const char *fail = getenv("HOOP_SHIM_FAIL");
  const char *millis = getenv("HOOP_SHIM_SYNC_MILLIS");
  if (millis) sync_millis = atoi(millis);
  if (fail && strchr(fail, ':')) {
    fail_at = atoi(fail);
    fail_with = atoi(strchr(fail, ':') + 1);
  }
  if (root && path) log_fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int concerns(const char *path) {
  return log_fd >= 0 && path && strncmp(path, root, strlen(root)) == 0 && !strstr(path, ".db");
}

/* Counts an operation, under the lock; is it the one to fail? */
static int fails(void) {
  operations++;
  if (operations != fail_at || fail_with == 0) return 0;
  line("failed\n");
  errno = fail_with;
  return 1;
}

#define REAL(type, name, ...)                                          \
  static type (*real)(__VA_ARGS__);                                    \
  if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

/* Node closes by syscall(2), unseen: what a number meant before is forgotten when it is given again. */
static void opened(int fd, const char *path) {
  if (fd < 0 || fd >= FDS || log_fd < 0) return;
  files[fd] = 0;
  free(folders[fd]);
  folders[fd] = NULL;
  struct stat found;
  if (!concerns(path)) return;
  if (fstat(fd, &found) == 0 && S_ISDIR(found.st_mode)) {
    folders[fd] = strdup(path);
  } else {
    files[fd] = next_file++;
    line("open %d %s\n", files[fd], path);
  }
}

int open64(const char *path, int flags, ...) {
  REAL(int, open64, const char *, int, ...);
  va_list values;
  va_start(values, flags);
  mode_t mode = va_arg(values, mode_t);
  va_end(values);
  pthread_mutex_lock(&lock);
  int fd = concerns(path) && fails() ? -1 : real(path, flags, mode);
  int error = errno;
  opened(fd, path);
  pthread_mutex_unlock(&lock);
  errno = error;
  return fd;
}

static int file_of(int fd) { return log_fd >= 0 && fd >= 0 && fd < FDS ? files[fd] : 0; }

static void logged(int fd, const struct iovec *parts, int count, off64_t offset) {
  size_t total = 0;
  for (int i = 0; i < count; i++) total += parts[i].iov_len;
  if (fd == 1) line("said %zu\n", total);
  else line("write %d %lld %zu\n", files[fd], (long long)offset, total);
  for (int i = 0; i < count; i++) raw(parts[i].iov_base, parts[i].iov_len);
}

/* Logs a write and says how many of its parts to do: all, none (it fails), or -1: half of the first. */
static int admitted(int fd, const struct iovec *parts, int count, off64_t offset) {
  pthread_mutex_lock(&lock);
  int failing = fails(), left = count;
  if (fail_at > 0 && fail_with == 0 && operations == fail_at) {
    left = -1;
    fail_at++, fail_with = ENOSPC;
    struct iovec half = {parts[0].iov_base, parts[0].iov_len / 2};
    line("failed\n");
    logged(fd, &half, 1, offset);
  } else if (failing) left = 0;
  else logged(fd, parts, count, offset);
  int error = errno;
  pthread_mutex_unlock(&lock);
  errno = error;
  return left;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
  REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
  if (!file_of(fd)) return real(fd, bytes, length, offset);
  struct iovec part = {(void *)bytes, length};
  int parts = admitted(fd, &part, 1, offset);
  return parts == 0 ? -1 : real(fd, bytes, parts < 0 ? length / 2 : length, offset);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
  REAL(ssize_t, pwritev64, int, const struct iovec *, int, off64_t);
  if (!file_of(fd)) return real(fd, parts, count, offset);
  int left = admitted(fd, parts, count, offset);
  struct iovec half = {parts[0].iov_base, parts[0].iov_len / 2};
  return left == 0 ? -1 : left < 0 ? real(fd, &half, 1, offset) : real(fd, parts, count, offset);
}

ssize_t write(int fd, const void *bytes, size_t length) {
  REAL(ssize_t, write, int, const void *, size_t);
  struct stat found;
  if (file_of(fd) && fstat(fd, &found) == 0 && S_ISREG(found.st_mode)) abort(); /* the model knows only writes at an offset */
  ssize_t done = real(fd, bytes, length);
  struct iovec part = {(void *)bytes, done > 0 ? done : 0};
  if (fd == 1 && log_fd >= 0 && done > 0) {
    pthread_mutex_lock(&lock);
    logged(fd, &part, 1, 0);
    pthread_mutex_unlock(&lock);
  }
  return done;
}

static int synced(int fd, int (*real)(int)) {
  if (!file_of(fd) && !(log_fd >= 0 && fd >= 0 && fd < FDS && folders[fd])) return real(fd);
  int file = files[fd];
  char *path = file ? NULL : strdup(folders[fd]);
  pthread_mutex_lock(&lock);
  if (file) line("sync-begin %d\n", file);
  else line("syncdir-begin %s\n", path);
  int failing = fails();
  pthread_mutex_unlock(&lock);
  usleep(sync_millis * 1000);
  int result = failing ? -1 : real(fd), error = failing ? fail_with : errno;
  pthread_mutex_lock(&lock);
  if (result == 0 && file) line("sync %d\n", file);
  if (result == 0 && !file) line("syncdir %s\n", path);
  pthread_mutex_unlock(&lock);
  free(path);
  errno = error;
  return result;
}

int fsync(int fd) {
  REAL(int, fsync, int);
  return synced(fd, real);
}

int fdatasync(int fd) {
  REAL(int, fdatasync, int);
  return synced(fd, real);
}

int rename(const char *from, const char *to) {
  REAL(int, rename, const char *, const char *);
  if (!concerns(from)) return real(from, to);
  pthread_mutex_lock(&lock);
  int result = fails() ? -1 : real(from, to), error = errno;
  if (result == 0) line("rename %s %s\n", from, to);
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}

int unlink(const char *path) {
  REAL(int, unlink, const char *);
  if (!concerns(path)) return real(path);
  pthread_mutex_lock(&lock);
  int result = fails() ? -1 : real(path), error = errno;
  if (result == 0) line("unlink %s\n", path);
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}

int mkdir(const char *path, mode_t mode) {
  REAL(int, mkdir, const char *, mode_t);
  if (!concerns(path)) return real(path, mode);
  pthread_mutex_lock(&lock);
  int result = fails() ? -1 : real(path, mode), error = errno;
  if (result == 0) line("mkdir %s\n", path);
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}

int ftruncate64(int fd, off64_t length) {
  REAL(int, ftruncate64, int, off64_t);
  if (file_of(fd)) {
    pthread_mutex_lock(&lock);
    line("truncate %d %lld\n", files[fd], (long long)length);
    pthread_mutex_unlock(&lock);
  }
  return real(fd, length);
}
