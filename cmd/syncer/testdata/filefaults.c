// A library to be preloaded into a program that reaches its SQLite database
// through libc. It numbers everything the program does to the database's files
// (the file, its -wal, -shm and -journal) and lets one operation be its last,
// or lets it and the later ones fail.
//
//   FAULT_LOG   a file that gets a line for each operation: number, kind, file, bytes
//   FAULT_AT    the number of the operation in question
//   FAULT_HOW   before  killed before it
//               torn    killed when half of its bytes are written
//               after   killed when it is done
//               full    the disk is full: half of it is written, and from then
//                       on nothing grows and nothing is made
//               broken  the disk is broken: it fails, and so does everything later
//               once    it alone fails
//   FAULT_WHILE a file: as long as it exists the disk is full
//
// What is read is neither numbered nor, except on a broken disk, disturbed. A
// process that is killed leaves to the kernel what it wrote, so nothing is
// really synced: that would only take time.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum how { NOTHING, BEFORE, TORN, AFTER, FULL, BROKEN, ONCE };
enum kind { WRITE, GROW, MAKE, SYNC, CUT, UNLINK };

static const char *const hows[] = {"", "before", "torn", "after", "full", "broken", "once"};
static const char *const kinds[] = {"write", "grow", "make", "sync", "cut", "unlink"};

#define FILES 4096
static char watched[FILES][16]; // by descriptor: how the file's name ends, "" if it is none of ours
static _Atomic long operations;
static long at;
static enum how how;
static const char *full_while;
static int log_to = -1;

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_pread)(int, void *, size_t, off_t);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_read)(int, void *, size_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fallocate)(int, off_t, off_t);
static int (*real_unlink)(const char *);

__attribute__((constructor)) static void begin(void) {
	const char *text;
	real_open = dlsym(RTLD_NEXT, "open64");
	real_close = dlsym(RTLD_NEXT, "close");
	real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
	real_pread = dlsym(RTLD_NEXT, "pread64");
	real_write = dlsym(RTLD_NEXT, "write");
	real_read = dlsym(RTLD_NEXT, "read");
	real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
	real_fallocate = dlsym(RTLD_NEXT, "posix_fallocate64");
	real_unlink = dlsym(RTLD_NEXT, "unlink");
	if ((text = getenv("FAULT_AT")) != NULL)
		at = atol(text);
	if ((text = getenv("FAULT_HOW")) != NULL)
		for (size_t i = 1; i < sizeof hows / sizeof *hows; i++)
			if (strcmp(text, hows[i]) == 0)
				how = (enum how)i;
	full_while = getenv("FAULT_WHILE");
	if ((text = getenv("FAULT_LOG")) != NULL)
		log_to = real_open(text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

// database tells a file of a database by its name, and returns how that ends.
static const char *database(const char *path) {
	static const char *const ends[] = {".db", ".db-wal", ".db-shm", ".db-journal"};
	size_t n = strlen(path);
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		size_t m = strlen(ends[i]);
		if (n >= m && strcmp(path + n - m, ends[i]) == 0)
			return ends[i];
	}
	return NULL;
}

static int is_watched(int fd) { return fd >= 0 && fd < FILES && watched[fd][0] != 0; }

static _Noreturn void die(void) {
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

// A decision is what becomes of an operation.
enum decision { PASS, FAIL_FULL, FAIL_BROKEN, HALF_THEN_DIE, HALF, DO_THEN_DIE };

static enum decision decide(enum kind kind, const char *file, size_t bytes) {
	long n = atomic_fetch_add(&operations, 1) + 1;
	if (log_to >= 0) {
		char line[128];
		int len = snprintf(line, sizeof line, "%ld %s %s %zu\n", n, kinds[kind], file, bytes);
		if (real_write(log_to, line, (size_t)len) != len)
			abort();
	}
	int grows = kind == WRITE || kind == GROW || kind == MAKE;
	if (full_while != NULL && grows && access(full_while, F_OK) == 0)
		return FAIL_FULL;
	if (how == NOTHING || n < at)
		return PASS;
	switch (how) {
	case FULL:
		if (!grows)
			return PASS;
		return n == at && kind == WRITE && bytes > 1 ? HALF : FAIL_FULL;
	case BROKEN:
		return FAIL_BROKEN;
	default:
		break;
	}
	if (n != at)
		return PASS;
	switch (how) {
	case BEFORE:
		die();
	case TORN:
		if (kind != WRITE)
			die();
		return HALF_THEN_DIE;
	case AFTER:
		return DO_THEN_DIE;
	default: // ONCE
		return FAIL_BROKEN;
	}
}

// spoiled reports whether nothing can be read any more.
static int spoiled(int fd) { return how == BROKEN && is_watched(fd) && atomic_load(&operations) >= at; }

// write_half writes the first half.
static ssize_t write_half(int fd, const void *data, size_t n, off_t from) {
	return from < 0 ? real_write(fd, data, n / 2) : real_pwrite(fd, data, n / 2, from);
}

static ssize_t put(int fd, const void *data, size_t n, off_t from) {
	ssize_t done;
	enum decision d = decide(WRITE, watched[fd], n);
	switch (d) {
	case FAIL_FULL:
		errno = ENOSPC;
		return -1;
	case FAIL_BROKEN:
		errno = EIO;
		return -1;
	case HALF:
		return write_half(fd, data, n, from);
	case HALF_THEN_DIE:
		if (write_half(fd, data, n, from) >= 0)
			die();
		abort();
	default:
		done = from < 0 ? real_write(fd, data, n) : real_pwrite(fd, data, n, from);
		if (d == DO_THEN_DIE)
			die();
		return done;
	}
}

// failed says whether an operation that is no write fails, and sets errno.
static int failed(enum decision d) {
	if (d == FAIL_FULL)
		errno = ENOSPC;
	if (d == FAIL_BROKEN)
		errno = EIO;
	return d == FAIL_FULL || d == FAIL_BROKEN;
}

int open64(const char *path, int flags, ...) {
	mode_t mode = 0;
	if (flags & O_CREAT) {
		va_list rest;
		va_start(rest, flags);
		mode = va_arg(rest, mode_t);
		va_end(rest);
	}
	const char *file = database(path);
	if (file == NULL)
		return real_open(path, flags, mode);
	enum decision d = PASS;
	if ((flags & O_CREAT) && access(path, F_OK) != 0)
		d = decide(MAKE, file, 0);
	if (failed(d))
		return -1;
	int fd = real_open(path, flags, mode);
	if (d == DO_THEN_DIE)
		die();
	if (fd >= 0 && fd < FILES)
		strcpy(watched[fd], file);
	return fd;
}

int open(const char *path, int flags, ...) {
	mode_t mode = 0;
	if (flags & O_CREAT) {
		va_list rest;
		va_start(rest, flags);
		mode = va_arg(rest, mode_t);
		va_end(rest);
	}
	return open64(path, flags, mode);
}

int close(int fd) {
	if (is_watched(fd))
		watched[fd][0] = 0;
	return real_close(fd);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t from) {
	return is_watched(fd) ? put(fd, data, n, from) : real_pwrite(fd, data, n, from);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t from) { return pwrite64(fd, data, n, from); }

ssize_t write(int fd, const void *data, size_t n) { return is_watched(fd) ? put(fd, data, n, -1) : real_write(fd, data, n); }

ssize_t pread64(int fd, void *data, size_t n, off64_t from) {
	if (spoiled(fd)) {
		errno = EIO;
		return -1;
	}
	return real_pread(fd, data, n, from);
}

ssize_t pread(int fd, void *data, size_t n, off_t from) { return pread64(fd, data, n, from); }

ssize_t read(int fd, void *data, size_t n) {
	if (spoiled(fd)) {
		errno = EIO;
		return -1;
	}
	return real_read(fd, data, n);
}

static int sync_it(int fd) {
	enum decision d = decide(SYNC, watched[fd], 0);
	if (failed(d))
		return -1;
	if (d == DO_THEN_DIE)
		die();
	return 0;
}

int fsync(int fd) {
	static int (*real)(int);
	if (is_watched(fd))
		return sync_it(fd);
	if (real == NULL)
		real = dlsym(RTLD_NEXT, "fsync");
	return real(fd);
}

int fdatasync(int fd) {
	static int (*real)(int);
	if (is_watched(fd))
		return sync_it(fd);
	if (real == NULL)
		real = dlsym(RTLD_NEXT, "fdatasync");
	return real(fd);
}

int ftruncate64(int fd, off64_t size) {
	if (!is_watched(fd))
		return real_ftruncate(fd, size);
	struct stat now;
	enum kind kind = fstat(fd, &now) == 0 && size > now.st_size ? GROW : CUT;
	enum decision d = decide(kind, watched[fd], (size_t)size);
	if (failed(d))
		return -1;
	int result = real_ftruncate(fd, size);
	if (d == DO_THEN_DIE)
		die();
	return result;
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int posix_fallocate64(int fd, off64_t from, off64_t n) {
	if (!is_watched(fd))
		return real_fallocate(fd, from, n);
	enum decision d = decide(GROW, watched[fd], (size_t)n);
	if (failed(d))
		return errno;
	int result = real_fallocate(fd, from, n);
	if (d == DO_THEN_DIE)
		die();
	return result;
}

int posix_fallocate(int fd, off_t from, off_t n) { return posix_fallocate64(fd, from, n); }

int unlink(const char *path) {
	const char *file = database(path);
	if (file == NULL || access(path, F_OK) != 0)
		return real_unlink(path);
	enum decision d = decide(UNLINK, file, 0);
	if (failed(d))
		return -1;
	int result = real_unlink(path);
	if (d == DO_THEN_DIE)
		die();
	return result;
}
