/*
 * The page shim, LD_PRELOADed into postgres: the entry points through which PostgreSQL 14 to 18 touches relation
 * files and commit-log segments. It keeps the block map of the arena (arena.h) right and asks the compute agent for
 * blocks that are absent. A descriptor or path that is not tracked costs a table lookup or a short parse.
 *
 * Not covered, because PostgreSQL does not use it on these files: sendfile, splice, mmap, FICLONE, io_uring
 * (io_method=io_uring must not be set), O_DIRECT (debug_io_direct must be off), fcntl(F_DUPFD).
 *
 * Environment: EBB_ARENA (absent: the library does nothing), EBB_AGENT_SOCKET, EBB_DATADIR, EBB_AGENT_TIMEOUT_MS,
 * EBB_DURABLE_TIMEOUT_MS. For tests: EBB_TEST_WRITE_DELAY_US, a pause before each write of a tracked file, and
 * EBB_TEST_TEAR_US, a pause after the first half page of each write. EBB_TEST_STALL names a file: as long as it exists,
 * a write that makes a relation longer by a page with an LSN waits, after it has added a byte to it (rule 36: the WAL
 * of that page is written). EBB_TEST_FORGET names a file with a relfilenumber: writes of its blocks leave no mark in the block map.
 */
#define _GNU_SOURCE
#include "shim.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* ---------------------------------------------------------------- descriptors */

#define MAX_FD 65536

/* Entry index + 1 in the high half, incarnation in the low half; 0: not tracked. */
static uint64_t fd_map[MAX_FD];

bool
ebb_fd_set(int fd, const struct ebb_entry *entry, uint32_t incarnation)
{
	if (fd >= MAX_FD)
		return false;
	fd_map[fd] = ((uint64_t) ebb_index_of(entry) + 1) << 32 | incarnation;
	return true;
}

static inline uint64_t
tracked(int fd)
{
	return (unsigned) fd < MAX_FD ? fd_map[fd] : 0;
}

static inline struct ebb_entry *
entry_of(uint64_t mapping)
{
	return ebb_entry_at((uint32_t) (mapping >> 32) - 1);
}

/* Has the file been unlinked, and maybe made again, since the descriptor was opened? */
static inline bool
is_stale(uint64_t mapping, const struct ebb_entry *entry)
{
	return ebb_load(&entry->incarnation) != (uint32_t) mapping;
}

static int
fail(void)
{
	ebb_count(EBB_STAT_ERRORS, 1);
	errno = EIO;
	return -1;
}

/* ---------------------------------------------------------------- start */

static long test_write_delay_us;
static long test_tear_us;
static const char *test_stall;
static const char *test_forget;

static long
env_number(const char *name, long fallback)
{
	const char *value = getenv(name);
	long number = value == NULL ? 0 : strtol(value, NULL, 10);
	return number > 0 ? number : fallback;
}

/* PostgreSQL writes its process title over the environment. */
static const char *
env_copy(const char *name)
{
	const char *value = getenv(name);
	return value == NULL ? NULL : strdup(value);
}

static int64_t
env_millis(const char *name, int64_t fallback_nanos)
{
	return (int64_t) env_number(name, (long) (fallback_nanos / 1000000)) * 1000000;
}

static bool single_user;

static void
look_for_single_user(void)
{
	char line[8192];
	int fd = (int) syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC, 0);
	ssize_t n = fd < 0 ? 0 : syscall(SYS_read, fd, line, sizeof line - 1);
	if (fd >= 0)
		syscall(SYS_close, fd);
	line[n < 0 ? 0 : n] = '\0';
	for (ssize_t i = 0; i < n; i += (ssize_t) strlen(line + i) + 1)
		single_user |= strcmp(line + i, "--single") == 0 || strcmp(line + i, "--boot") == 0;
}

__attribute__((constructor)) static void
start(void)
{
	char error[512];
	const char *arena = getenv("EBB_ARENA");
	const char *socket_path = getenv("EBB_AGENT_SOCKET");
	const char *datadir = getenv("EBB_DATADIR");
	/* Programs that PostgreSQL starts (COPY PROGRAM, archive commands) run without the shim. */
	unsetenv("LD_PRELOAD");
	if (arena == NULL)
		return;
	if (datadir != NULL && strlen(datadir) < 4096)
	{
		size_t length = strlen(datadir);
		memcpy(ebb_datadir, datadir, length);
		while (length > 1 && ebb_datadir[length - 1] == '/')
			length--;
		ebb_datadir[length] = '\0';
	}
	if (socket_path != NULL && strlen(socket_path) < sizeof ebb_agent_path)
		strcpy(ebb_agent_path, socket_path);
	ebb_timeout_nanos = env_millis("EBB_AGENT_TIMEOUT_MS", ebb_timeout_nanos);
	ebb_durable_timeout_nanos = env_millis("EBB_DURABLE_TIMEOUT_MS", ebb_durable_timeout_nanos);
	test_write_delay_us = env_number("EBB_TEST_WRITE_DELAY_US", 0);
	test_tear_us = env_number("EBB_TEST_TEAR_US", 0);
	test_stall = env_copy("EBB_TEST_STALL");
	test_forget = env_copy("EBB_TEST_FORGET");
	look_for_single_user();
	if (socket_path == NULL || ebb_agent_path[0] == '\0')
		snprintf(error, sizeof error, "EBB_AGENT_SOCKET is not set or longer than %zu bytes",
		         sizeof ebb_agent_path - 1);
	else if (ebb_arena_map(arena, error, sizeof error))
	{
		ebb_store(&ebb_header->postmaster_pid, (uint32_t) getpid());
		return;
	}
	dprintf(2, "ebb page shim: %s\n", error);
	_exit(78);
}

/* ---------------------------------------------------------------- opening and closing */

static int
do_open(int dirfd, const char *path, int flags, mode_t mode)
{
	struct ebb_key key;
	if (ebb_header != NULL && (dirfd == AT_FDCWD || (path != NULL && path[0] == '/')) && ebb_parse_path(path, &key))
		return ebb_open(dirfd, path, flags, mode, &key);
	/* What lies in a tablespace is in no snapshot (rule 34): better an error now than a table lost at suspend. */
	if (ebb_header != NULL && (flags & O_CREAT) != 0 && path != NULL && strncmp(path, "pg_tblspc/", 10) == 0)
	{
		errno = EPERM;
		return -1;
	}
	return (int) syscall(SYS_openat, dirfd, path, flags, mode);
}

static mode_t
mode_argument(int flags, va_list args)
{
	return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? (mode_t) va_arg(args, int) : 0;
}

#define DEFINE_OPEN(name) \
	EXPORT int name(const char *path, int flags, ...) \
	{ \
		va_list args; \
		va_start(args, flags); \
		mode_t mode = mode_argument(flags, args); \
		va_end(args); \
		return do_open(AT_FDCWD, path, flags, mode); \
	}
DEFINE_OPEN(open)
DEFINE_OPEN(open64)

#define DEFINE_OPENAT(name) \
	EXPORT int name(int dirfd, const char *path, int flags, ...) \
	{ \
		va_list args; \
		va_start(args, flags); \
		mode_t mode = mode_argument(flags, args); \
		va_end(args); \
		return do_open(dirfd, path, flags, mode); \
	}
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dirfd, const char *path, int flags);
int __openat64_2(int dirfd, const char *path, int flags);

EXPORT int
__open_2(const char *path, int flags)
{
	return do_open(AT_FDCWD, path, flags, 0);
}

EXPORT int
__open64_2(const char *path, int flags)
{
	return do_open(AT_FDCWD, path, flags, 0);
}

EXPORT int
__openat_2(int dirfd, const char *path, int flags)
{
	return do_open(dirfd, path, flags, 0);
}

EXPORT int
__openat64_2(int dirfd, const char *path, int flags)
{
	return do_open(dirfd, path, flags, 0);
}

EXPORT int
creat(const char *path, mode_t mode)
{
	return do_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

EXPORT int
creat64(const char *path, mode_t mode)
{
	return do_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

EXPORT int
close(int fd)
{
	if (tracked(fd) != 0)
		fd_map[fd] = 0;
	return (int) syscall(SYS_close, fd);
}

static int
copy_mapping(int from, int to)
{
	uint64_t mapping = tracked(from);
	if (to < 0)
		return to;
	if (to < MAX_FD)
		fd_map[to] = mapping;
	else if (mapping != 0)
	{
		syscall(SYS_close, to);
		errno = EMFILE;
		return -1;
	}
	return to;
}

EXPORT int
dup(int fd)
{
	return copy_mapping(fd, (int) syscall(SYS_dup, fd));
}

EXPORT int
dup2(int from, int to)
{
	if (from == to)
		return fcntl(from, F_GETFD) < 0 ? -1 : to;
	return copy_mapping(from, (int) syscall(SYS_dup3, from, to, 0));
}

EXPORT int
dup3(int from, int to, int flags)
{
	return copy_mapping(from, (int) syscall(SYS_dup3, from, to, flags));
}

typedef FILE *(*fopen_function)(const char *, const char *);

static FILE *
do_fopen(const char *name, const char *path, const char *mode)
{
	struct ebb_entry *entry;
	uint32_t incarnation;
	fopen_function real = (fopen_function) dlsym(RTLD_NEXT, name);
	/* stdio reads and writes inside libc, unseen by the shim: only reading, of a file that is wholly present. */
	if (ebb_appear(AT_FDCWD, path, &entry, &incarnation) < 0)
		return NULL;
	if (entry != NULL)
	{
		if (mode[0] != 'r' || strchr(mode, '+') != NULL)
		{
			fail();
			return NULL;
		}
		ebb_or(&entry->state, EBB_PINNED);
		if (ebb_hydrate_all(entry, incarnation) != 0)
			return NULL;
	}
	return real(path, mode);
}

EXPORT FILE *
fopen(const char *path, const char *mode)
{
	return do_fopen("fopen", path, mode);
}

EXPORT FILE *
fopen64(const char *path, const char *mode)
{
	return do_fopen("fopen64", path, mode);
}

/* ---------------------------------------------------------------- reading */

static uint64_t
iov_bytes(const struct iovec *iov, int count)
{
	uint64_t bytes = 0;
	for (int i = 0; i < count; i++)
		bytes += iov[i].iov_len;
	return bytes;
}

/* One read or readv at an offset; iov is NULL for a plain buffer. */
struct io
{
	int fd;
	void *buffer;
	const struct iovec *iov;
	int count;
	int flags;
	uint64_t length;
	off_t offset;
};

static ssize_t
raw_read(const struct io *io)
{
	if (io->iov == NULL)
		return syscall(SYS_pread64, io->fd, io->buffer, io->length, io->offset);
	if (io->flags != 0)
		return syscall(SYS_preadv2, io->fd, io->iov, io->count, io->offset, 0, io->flags);
	return syscall(SYS_preadv, io->fd, io->iov, io->count, io->offset, 0);
}

static ssize_t
raw_write(const struct io *io)
{
	if (io->iov == NULL)
		return syscall(SYS_pwrite64, io->fd, io->buffer, io->length, io->offset);
	if (io->flags != 0)
		return syscall(SYS_pwritev2, io->fd, io->iov, io->count, io->offset, 0, io->flags);
	return syscall(SYS_pwritev, io->fd, io->iov, io->count, io->offset, 0);
}

#define SETTLE_ROUNDS 64

/* Of a file that has been unlinked. It may have holes, never filled or evicted: never zeroes for those. */
static ssize_t
stale_read(ssize_t n, uint32_t incarnation)
{
	bool may_have_holes = incarnation < ebb_header->first_new_incarnation ||
		(ebb_load(&ebb_header->flags) & EBB_FLAG_EVICTS) != 0;
	return n > 0 && may_have_holes ? fail() : n;
}

/* Sets the first bytes of where a read would put them. */
static void
fill_buffer(const struct io *io, uint64_t length, int value)
{
	if (io->iov == NULL)
		memset(io->buffer, value, length);
	for (int i = 0; io->iov != NULL && i < io->count && length > 0; i++)
	{
		uint64_t part = io->iov[i].iov_len < length ? io->iov[i].iov_len : length;
		memset(io->iov[i].iov_base, value, part);
		length -= part;
	}
}

#define SHORT_IOV 256

/* The same read, of less; its vector is copied to `parts`. False where that has no room. */
static bool
shorten(struct io *io, uint64_t length, struct iovec *parts)
{
	io->length = length;
	if (io->iov == NULL)
		return true;
	int n = 0;
	for (; length > 0 && n < io->count && n < SHORT_IOV; n++)
	{
		parts[n] = io->iov[n];
		if (parts[n].iov_len > length)
			parts[n].iov_len = length;
		length -= parts[n].iov_len;
	}
	io->iov = parts;
	io->count = n;
	return length == 0;
}

static ssize_t tracked_read(uint64_t mapping, const struct io *io, bool positioned);

/*
 * A block of the range is damaged where it is stored. What lies before it is read as usual, a short read, behind which
 * PostgreSQL asks for the rest (md.c, bufmgr.c). The block itself, of a relation's main fork, is an impossible page,
 * which PostgreSQL refuses by name (bufpage.c, PageIsVerified: XX001) without doubting its disk; nothing of it reaches
 * the local file. Other forks, and the commit log, PostgreSQL would replace by zeroes then: those cannot be read (EIO).
 */
static ssize_t
damaged_read(uint64_t mapping, const struct io *io, uint32_t damaged, bool positioned)
{
	const struct ebb_entry *entry = entry_of(mapping);
	struct io before = *io;
	struct iovec parts[SHORT_IOV];
	uint64_t start = (uint64_t) damaged * EBB_BLOCK_SIZE;
	if (start > (uint64_t) io->offset)
		return shorten(&before, start - (uint64_t) io->offset, parts) ? tracked_read(mapping, &before, positioned)
		                                                              : fail();
	if (!positioned || entry->key.kind != EBB_RELATION || entry->key.fork != 0 || is_stale(mapping, entry))
		return fail();
	uint64_t length = start + EBB_BLOCK_SIZE - (uint64_t) io->offset;
	if (length > io->length)
		length = io->length;
	fill_buffer(io, length, 0xff);
	return (ssize_t) length;
}

/* positioned: a pread or preadv, as those of a page are; otherwise a read of a file from its start to its end. */
static ssize_t
tracked_read(uint64_t mapping, const struct io *io, bool positioned)
{
	struct ebb_wait wait;
	struct ebb_entry *entry = entry_of(mapping);
	uint32_t incarnation = (uint32_t) mapping;
	if (io->length == 0 || io->offset < 0)
		return raw_read(io);
	if (is_stale(mapping, entry))
		return stale_read(raw_read(io), incarnation);
	uint64_t first = (uint64_t) io->offset / EBB_BLOCK_SIZE;
	uint64_t end = ((uint64_t) io->offset + io->length + EBB_BLOCK_SIZE - 1) / EBB_BLOCK_SIZE;
	if (first >= EBB_WORDS_PER_ENTRY)
		return raw_read(io);
	if (end > EBB_WORDS_PER_ENTRY)
		end = EBB_WORDS_PER_ENTRY;
	uint32_t count = (uint32_t) (end - first);
	for (int round = 0;; round++)
	{
		uint64_t before;
		uint64_t after;
		while (!ebb_blocks_ready(entry, (uint32_t) first, count, &before))
		{
			if (is_stale(mapping, entry))
				return stale_read(raw_read(io), incarnation);
			uint32_t damaged;
			int rc = ebb_hydrate_or_damaged(entry, incarnation, (uint32_t) first, count, &damaged);
			if (rc == EBB_DAMAGED)
				return damaged_read(mapping, io, damaged, positioned);
			if (rc != 0)
				return -1;
		}
		ssize_t n = raw_read(io);
		/* Then the words that were looked at may be another file's. */
		if (is_stale(mapping, entry))
			return stale_read(n, incarnation);
		/* Still present, in the same version: what was read is the block's content, and no hole that it left. */
		if (ebb_blocks_ready(entry, (uint32_t) first, count, &after) && before == after)
			return n;
		ebb_count(EBB_STAT_READ_RETRIES, 1);
		if (round == SETTLE_ROUNDS)
			ebb_wait_start(&wait);
		else if (round > SETTLE_ROUNDS && !ebb_wait_pause(&wait))
			return fail();
	}
}

static ssize_t
do_pread(int fd, void *buffer, size_t length, off_t offset)
{
	uint64_t mapping = tracked(fd);
	if (mapping == 0)
		return syscall(SYS_pread64, fd, buffer, length, offset);
	struct io io = {.fd = fd, .buffer = buffer, .length = length, .offset = offset};
	return tracked_read(mapping, &io, true);
}

static ssize_t
do_preadv(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	uint64_t mapping = tracked(fd);
	struct io io = {.fd = fd, .iov = iov, .count = count, .flags = flags, .offset = offset};
	if (mapping == 0)
		return raw_read(&io);
	io.length = iov_bytes(iov, count);
	return tracked_read(mapping, &io, true);
}

EXPORT ssize_t
pread(int fd, void *buffer, size_t length, off_t offset)
{
	return do_pread(fd, buffer, length, offset);
}

EXPORT ssize_t
pread64(int fd, void *buffer, size_t length, off64_t offset)
{
	return do_pread(fd, buffer, length, offset);
}

EXPORT ssize_t
preadv(int fd, const struct iovec *iov, int count, off_t offset)
{
	return do_preadv(fd, iov, count, offset, 0);
}

EXPORT ssize_t
preadv64(int fd, const struct iovec *iov, int count, off64_t offset)
{
	return do_preadv(fd, iov, count, offset, 0);
}

/* Reads at the descriptor's own position, then moves it. PostgreSQL does so only when it copies files. */
static ssize_t
tracked_read_here(uint64_t mapping, struct io *io)
{
	io->offset = (off_t) syscall(SYS_lseek, io->fd, (off_t) 0, SEEK_CUR);
	if (io->offset < 0)
		return -1;
	ssize_t n = tracked_read(mapping, io, false);
	if (n > 0)
		syscall(SYS_lseek, io->fd, (off_t) n, SEEK_CUR);
	return n;
}

EXPORT ssize_t
preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	uint64_t mapping = tracked(fd);
	if (offset == -1 && mapping != 0)
	{
		struct io io = {.fd = fd, .iov = iov, .count = count, .flags = flags, .length = iov_bytes(iov, count)};
		return tracked_read_here(mapping, &io);
	}
	if (mapping == 0)
		return syscall(SYS_preadv2, fd, iov, count, offset, 0, flags);
	return do_preadv(fd, iov, count, offset, flags);
}

EXPORT ssize_t
preadv64v2(int fd, const struct iovec *iov, int count, off64_t offset, int flags)
{
	return preadv2(fd, iov, count, offset, flags);
}

static ssize_t
do_read(int fd, void *buffer, size_t length)
{
	uint64_t mapping = tracked(fd);
	if (mapping == 0)
		return syscall(SYS_read, fd, buffer, length);
	struct io io = {.fd = fd, .buffer = buffer, .length = length};
	return tracked_read_here(mapping, &io);
}

EXPORT ssize_t
read(int fd, void *buffer, size_t length)
{
	return do_read(fd, buffer, length);
}

EXPORT ssize_t
readv(int fd, const struct iovec *iov, int count)
{
	uint64_t mapping = tracked(fd);
	if (mapping == 0)
		return syscall(SYS_readv, fd, iov, count);
	struct io io = {.fd = fd, .iov = iov, .count = count, .length = iov_bytes(iov, count)};
	return tracked_read_here(mapping, &io);
}

ssize_t __read_chk(int fd, void *buffer, size_t length, size_t buffer_length);
ssize_t __pread_chk(int fd, void *buffer, size_t length, off_t offset, size_t buffer_length);
ssize_t __pread64_chk(int fd, void *buffer, size_t length, off64_t offset, size_t buffer_length);

EXPORT ssize_t
__read_chk(int fd, void *buffer, size_t length, size_t buffer_length)
{
	if (length > buffer_length)
		abort();
	return do_read(fd, buffer, length);
}

EXPORT ssize_t
__pread_chk(int fd, void *buffer, size_t length, off_t offset, size_t buffer_length)
{
	if (length > buffer_length)
		abort();
	return do_pread(fd, buffer, length, offset);
}

EXPORT ssize_t
__pread64_chk(int fd, void *buffer, size_t length, off64_t offset, size_t buffer_length)
{
	if (length > buffer_length)
		abort();
	return do_pread(fd, buffer, length, offset);
}

/*
 * PostgreSQL says what it is going to read: bitmap scans, vacuum, recovery (PrefetchSharedBuffer, read_stream.c). Blocks
 * that are absent are asked for; of those that are there the kernel is told, too.
 */
static int
do_fadvise(int fd, off_t offset, off_t length, int advice)
{
	uint64_t mapping = tracked(fd);
	if (mapping != 0 && advice == POSIX_FADV_WILLNEED && offset >= 0 && length > 0)
	{
		struct ebb_entry *entry = entry_of(mapping);
		uint64_t first = (uint64_t) offset / EBB_BLOCK_SIZE;
		uint64_t end = ((uint64_t) offset + (uint64_t) length + EBB_BLOCK_SIZE - 1) / EBB_BLOCK_SIZE;
		uint64_t size = ebb_load(&entry->size_blocks);
		if (end > size)
			end = size;
		if (end > first + EBB_CHUNK_BLOCKS)
			end = first + EBB_CHUNK_BLOCKS;
		if (first < end && !is_stale(mapping, entry) &&
		    ebb_hint(entry, (uint32_t) mapping, (uint32_t) first, (uint32_t) (end - first)))
			return 0;
	}
	return syscall(SYS_fadvise64, fd, offset, length, advice) == 0 ? 0 : errno;
}

EXPORT int
posix_fadvise(int fd, off_t offset, off_t length, int advice)
{
	return do_fadvise(fd, offset, length, advice);
}

EXPORT int
posix_fadvise64(int fd, off64_t offset, off64_t length, int advice)
{
	return do_fadvise(fd, offset, length, advice);
}

/* ---------------------------------------------------------------- writing */

static void
test_pause(long micros)
{
	struct timespec pause = {micros / 1000000, (micros % 1000000) * 1000};
	nanosleep(&pause, NULL);
}

static void
test_stall_extension(const struct ebb_entry *entry, const struct io *io)
{
	uint64_t lsn;
	memcpy(&lsn, io->iov == NULL ? io->buffer : io->iov[0].iov_base, sizeof lsn);
	if (entry->key.kind != EBB_RELATION || lsn == 0 ||
	    ((uint64_t) io->offset + io->length) / EBB_BLOCK_SIZE <= ebb_load(&entry->size_blocks))
		return;
	int fd = (int) syscall(SYS_openat, AT_FDCWD, test_stall, O_WRONLY | O_APPEND | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	syscall(SYS_write, fd, "x", 1);
	syscall(SYS_close, fd);
	while (syscall(SYS_faccessat, AT_FDCWD, test_stall, F_OK) == 0)
		test_pause(1000);
}

static bool
test_forgets(const struct ebb_entry *entry)
{
	char text[16] = {0};
	int fd = (int) syscall(SYS_openat, AT_FDCWD, test_forget, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return false;
	ssize_t n = syscall(SYS_read, fd, text, sizeof text - 1);
	syscall(SYS_close, fd);
	return n > 0 && entry->key.kind == EBB_RELATION && strtoul(text, NULL, 10) == entry->key.relation;
}

static bool
beyond_segment(off_t offset, uint64_t length)
{
	return offset < 0 || (uint64_t) offset + length > (uint64_t) EBB_WORDS_PER_ENTRY * EBB_BLOCK_SIZE;
}

static ssize_t
tracked_write(uint64_t mapping, const struct io *io)
{
	struct ebb_entry *entry = entry_of(mapping);
	if (io->length == 0 || is_stale(mapping, entry))
		return raw_write(io);
	if (beyond_segment(io->offset, io->length))
		return fail();
	if (test_write_delay_us > 0)
		test_pause(test_write_delay_us);
	if (test_stall != NULL)
		test_stall_extension(entry, io);
	if (test_forget != NULL && test_forgets(entry))
		return raw_write(io);
	if (ebb_write_begin(entry, (uint32_t) mapping, (uint64_t) io->offset, io->length) != 0)
		return -1;
	if (test_tear_us > 0 && io->iov == NULL && io->length > EBB_BLOCK_SIZE / 2)
	{
		syscall(SYS_pwrite64, io->fd, io->buffer, EBB_BLOCK_SIZE / 2, io->offset);
		test_pause(test_tear_us);
	}
	ssize_t n = raw_write(io);
	int saved = errno;
	uint64_t written = n < 0 ? 0 : (uint64_t) n;
	if (written < io->length && n >= 0)
	{
		/* A short write counts up to the last whole block: the rest of a block is never left half old, half new. */
		uint64_t end = ((uint64_t) io->offset + written) / EBB_BLOCK_SIZE * EBB_BLOCK_SIZE;
		written = end > (uint64_t) io->offset ? end - (uint64_t) io->offset : 0;
		n = (ssize_t) written;
		if (written == 0)
		{
			n = -1;
			saved = ENOSPC;
		}
	}
	ebb_write_end(entry, (uint64_t) io->offset, io->length, written);
	errno = saved;
	return n;
}

static ssize_t
do_pwrite(int fd, const void *buffer, size_t length, off_t offset)
{
	uint64_t mapping = tracked(fd);
	if (mapping == 0)
		return syscall(SYS_pwrite64, fd, buffer, length, offset);
	struct io io = {.fd = fd, .buffer = (void *) buffer, .length = length, .offset = offset};
	return tracked_write(mapping, &io);
}

static ssize_t
do_pwritev(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	uint64_t mapping = tracked(fd);
	struct io io = {.fd = fd, .iov = iov, .count = count, .flags = flags, .offset = offset};
	if (mapping == 0)
		return raw_write(&io);
	io.length = iov_bytes(iov, count);
	return tracked_write(mapping, &io);
}

EXPORT ssize_t
pwrite(int fd, const void *buffer, size_t length, off_t offset)
{
	return do_pwrite(fd, buffer, length, offset);
}

EXPORT ssize_t
pwrite64(int fd, const void *buffer, size_t length, off64_t offset)
{
	return do_pwrite(fd, buffer, length, offset);
}

EXPORT ssize_t
pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	return do_pwritev(fd, iov, count, offset, 0);
}

EXPORT ssize_t
pwritev64(int fd, const struct iovec *iov, int count, off64_t offset)
{
	return do_pwritev(fd, iov, count, offset, 0);
}

static ssize_t
tracked_write_here(uint64_t mapping, struct io *io)
{
	io->offset = (off_t) syscall(SYS_lseek, io->fd, (off_t) 0, SEEK_CUR);
	if (io->offset < 0)
		return -1;
	ssize_t n = tracked_write(mapping, io);
	if (n > 0)
		syscall(SYS_lseek, io->fd, (off_t) n, SEEK_CUR);
	return n;
}

EXPORT ssize_t
pwritev2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	uint64_t mapping = tracked(fd);
	if (offset == -1 && mapping != 0)
	{
		struct io io = {.fd = fd, .iov = iov, .count = count, .flags = flags, .length = iov_bytes(iov, count)};
		return tracked_write_here(mapping, &io);
	}
	if (mapping == 0)
		return syscall(SYS_pwritev2, fd, iov, count, offset, 0, flags);
	return do_pwritev(fd, iov, count, offset, flags);
}

EXPORT ssize_t
pwritev64v2(int fd, const struct iovec *iov, int count, off64_t offset, int flags)
{
	return pwritev2(fd, iov, count, offset, flags);
}

/* ---------------------------------------------------------------- cancelled commit waits (rule 5) */

/*
 * replication/syncrep.c, SyncRepWaitForLSN: both ways of giving up the wait log one of these first. The text goes to
 * the server log, fd 2, before the transaction becomes visible and before the client hears of it. lc_messages must
 * be C and log_min_messages at most WARNING; both are passed on the command line and are a superuser's to change.
 */
static const char *const given_up[] = {
	"canceling wait for synchronous replication due to user request",
	"canceling the wait for synchronous replication and terminating connection",
};

/* The end of the last write to the log, in case the text is split over two. */
static char log_tail[256];
static size_t log_tail_length;

static bool
gives_up_wait(const char *text, size_t length)
{
	for (size_t i = 0; i < sizeof given_up / sizeof given_up[0]; i++)
	{
		if (memmem(text, length, given_up[i], strlen(given_up[i])) != NULL)
			return true;
	}
	return false;
}

static bool
log_gives_up_wait(const char *text, size_t length)
{
	enum { LONGEST = 80 };
	char joint[2 * LONGEST];
	bool found = gives_up_wait(text, length);
	size_t before = log_tail_length < LONGEST ? log_tail_length : LONGEST;
	size_t after = length < LONGEST ? length : LONGEST;
	if (!found && before > 0)
	{
		memcpy(joint, log_tail + log_tail_length - before, before);
		memcpy(joint + before, text, after);
		found = gives_up_wait(joint, before + after);
	}
	if (found)
		log_tail_length = 0; /* each occurrence counts once */
	else if (length >= LONGEST)
	{
		memcpy(log_tail, text + length - LONGEST, LONGEST);
		log_tail_length = LONGEST;
	}
	else
	{
		if (log_tail_length + length > sizeof log_tail)
		{
			size_t keep = log_tail_length < LONGEST ? log_tail_length : LONGEST;
			memmove(log_tail, log_tail + log_tail_length - keep, keep);
			log_tail_length = keep;
		}
		memcpy(log_tail + log_tail_length, text, length);
		log_tail_length += length;
	}
	return found;
}

/* Holds the process until its commits are durable; otherwise ends it, and with it the cluster, before it goes on. */
static void
hold_until_durable(void)
{
	int64_t deadline = ebb_now_nanos() + ebb_durable_timeout_nanos;
	ebb_count(EBB_STAT_DURABLE_WAITS, 1);
	if (ebb_agent_call(EBB_OP_WAIT_DURABLE, 0, 0, 0, 0, deadline, NULL) == EBB_STATUS_OK)
		return;
	static const char message[] = "ebb page shim: a commit whose wait was given up is not durable; ending the server\n";
	syscall(SYS_write, 2, message, sizeof message - 1);
	syscall(SYS_kill, getpid(), SIGKILL);
	for (;;)
		pause();
}

EXPORT ssize_t
write(int fd, const void *buffer, size_t length)
{
	uint64_t mapping = tracked(fd);
	if (mapping != 0)
	{
		struct io io = {.fd = fd, .buffer = (void *) buffer, .length = length};
		return tracked_write_here(mapping, &io);
	}
	ssize_t n = syscall(SYS_write, fd, buffer, length);
	if (fd == 2 && ebb_header != NULL)
	{
		int saved = errno;
		if (log_gives_up_wait(buffer, length))
			hold_until_durable();
		errno = saved;
	}
	return n;
}

EXPORT ssize_t
writev(int fd, const struct iovec *iov, int count)
{
	uint64_t mapping = tracked(fd);
	if (mapping == 0)
		return syscall(SYS_writev, fd, iov, count);
	struct io io = {.fd = fd, .iov = iov, .count = count, .length = iov_bytes(iov, count)};
	return tracked_write_here(mapping, &io);
}

/*
 * PostgreSQL asks for a signal when the postmaster dies and notices later, at its next wait; a backend that waits for
 * a commit would then give the wait up without a word (SyncRepWaitForLSN). Nothing local outlives the postmaster
 * here, so its children die with it.
 */
int prctl(int option, ...);

EXPORT int
prctl(int option, ...)
{
	unsigned long a[4];
	va_list args;
	va_start(args, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(args, unsigned long);
	va_end(args);
	if (option == PR_SET_PDEATHSIG && ebb_header != NULL && a[0] != 0)
		a[0] = SIGKILL;
	return (int) syscall(SYS_prctl, option, a[0], a[1], a[2], a[3]);
}

/* ---------------------------------------------------------------- sizes and copies */

static int
do_ftruncate(int fd, off_t length)
{
	uint64_t mapping = tracked(fd);
	if (mapping == 0 || is_stale(mapping, entry_of(mapping)))
		return (int) syscall(SYS_ftruncate, fd, length);
	return ebb_resize(entry_of(mapping), (uint32_t) mapping, fd, NULL, length);
}

EXPORT int
ftruncate(int fd, off_t length)
{
	return do_ftruncate(fd, length);
}

EXPORT int
ftruncate64(int fd, off64_t length)
{
	return do_ftruncate(fd, length);
}

static int
do_truncate(const char *path, off_t length)
{
	struct ebb_entry *entry;
	for (int rounds = 0; rounds < 1000; rounds++)
	{
		uint32_t incarnation;
		if (ebb_appear(AT_FDCWD, path, &entry, &incarnation) < 0)
			return -1;
		if (entry == NULL)
			return (int) syscall(SYS_truncate, path, length);
		uint32_t phase = ebb_load(&entry->state) & EBB_PHASE_MASK;
		if (ebb_load(&entry->incarnation) != incarnation)
			continue;
		if (phase == EBB_UNLINKED)
			return (int) syscall(SYS_truncate, path, length);
		if (phase == EBB_LIVE)
		{
			int rc = ebb_resize(entry, incarnation, -1, path, length);
			if (rc != 0 && errno == ESTALE)
				continue;
			if (rc != 0 && errno == ENOENT && ebb_load(&entry->incarnation) == incarnation)
				return fail();
			return rc;
		}
	}
	return fail();
}

EXPORT int
truncate(const char *path, off_t length)
{
	return do_truncate(path, length);
}

EXPORT int
truncate64(const char *path, off64_t length)
{
	return do_truncate(path, length);
}

typedef int (*fallocate_function)(int, off_t, off_t);

/* The blocks that an allocation adds to the file read as zeroes: they differ from the snapshot. */
static int
allocation_begin(uint64_t mapping, off_t offset, off_t length)
{
	struct ebb_entry *entry = entry_of(mapping);
	if (offset < 0 || length <= 0)
	{
		errno = EINVAL;
		return -1;
	}
	if (beyond_segment(offset, (uint64_t) length))
	{
		errno = EFBIG;
		return -1;
	}
	uint32_t end = (uint32_t) (((uint64_t) offset + (uint64_t) length + EBB_BLOCK_SIZE - 1) / EBB_BLOCK_SIZE);
	return end > ebb_load(&entry->size_blocks) ? ebb_note_extension(entry, (uint32_t) mapping, end) : 0;
}

static int
do_posix_fallocate(int fd, off_t offset, off_t length)
{
	static fallocate_function real;
	uint64_t mapping = tracked(fd);
	if (mapping != 0 && !is_stale(mapping, entry_of(mapping)) && allocation_begin(mapping, offset, length) != 0)
		return errno;
	if (real == NULL)
		real = (fallocate_function) dlsym(RTLD_NEXT, "posix_fallocate");
	return real(fd, offset, length);
}

EXPORT int
posix_fallocate(int fd, off_t offset, off_t length)
{
	return do_posix_fallocate(fd, offset, length);
}

EXPORT int
posix_fallocate64(int fd, off64_t offset, off64_t length)
{
	return do_posix_fallocate(fd, offset, length);
}

static int
do_fallocate(int fd, int mode, off_t offset, off_t length)
{
	uint64_t mapping = tracked(fd);
	if (mapping == 0 || is_stale(mapping, entry_of(mapping)))
		return (int) syscall(SYS_fallocate, fd, mode, offset, length);
	if (mode == 0)
	{
		if (allocation_begin(mapping, offset, length) != 0)
			return -1;
	}
	else if (mode != FALLOC_FL_KEEP_SIZE)
	{
		errno = EOPNOTSUPP; /* punching and zeroing: PostgreSQL does not, and falls back where it would */
		return -1;
	}
	return (int) syscall(SYS_fallocate, fd, mode, offset, length);
}

EXPORT int
fallocate(int fd, int mode, off_t offset, off_t length)
{
	return do_fallocate(fd, mode, offset, length);
}

EXPORT int
fallocate64(int fd, int mode, off64_t offset, off64_t length)
{
	return do_fallocate(fd, mode, offset, length);
}

/* Copies from a tracked or untracked file; the source's blocks are present before, and still were afterwards. */
static ssize_t
copy_present(int in, off64_t *in_offset, int out, off64_t *out_offset, size_t length, unsigned flags)
{
	uint64_t from = tracked(in);
	if (from == 0)
		return syscall(SYS_copy_file_range, in, in_offset, out, out_offset, length, flags);
	struct ebb_entry *entry = entry_of(from);
	if (is_stale(from, entry) || beyond_segment(*in_offset, length))
		return fail();
	uint32_t first = (uint32_t) ((uint64_t) *in_offset / EBB_BLOCK_SIZE);
	uint32_t end = (uint32_t) (((uint64_t) *in_offset + length + EBB_BLOCK_SIZE - 1) / EBB_BLOCK_SIZE);
	for (int round = 0; round < SETTLE_ROUNDS; round++)
	{
		uint64_t before;
		uint64_t after;
		off64_t in_at = *in_offset;
		off64_t out_at = *out_offset;
		while (!ebb_blocks_ready(entry, first, end - first, &before))
		{
			if (ebb_hydrate(entry, (uint32_t) from, first, end - first) != 0)
				return -1;
		}
		ssize_t n = syscall(SYS_copy_file_range, in, &in_at, out, &out_at, length, flags);
		if (n < 0)
			return n;
		if (ebb_blocks_ready(entry, first, end - first, &after) && before == after)
		{
			*in_offset = in_at;
			*out_offset = out_at;
			return n;
		}
	}
	return fail();
}

EXPORT ssize_t
copy_file_range(int in, off64_t *in_offset, int out, off64_t *out_offset, size_t length, unsigned flags)
{
	uint64_t to = tracked(out);
	if ((tracked(in) == 0 && to == 0) || length == 0)
		return syscall(SYS_copy_file_range, in, in_offset, out, out_offset, length, flags);
	struct stat source;
	off64_t from_at = in_offset != NULL ? *in_offset : (off64_t) syscall(SYS_lseek, in, (off_t) 0, SEEK_CUR);
	off64_t to_at = out_offset != NULL ? *out_offset : (off64_t) syscall(SYS_lseek, out, (off_t) 0, SEEK_CUR);
	if (from_at < 0 || to_at < 0 || fstat(in, &source) != 0)
		return -1;
	if (from_at >= source.st_size)
		return 0;
	if ((uint64_t) length > (uint64_t) (source.st_size - from_at))
		length = (size_t) (source.st_size - from_at);
	struct ebb_entry *entry = to == 0 ? NULL : entry_of(to);
	off64_t written_at = to_at;
	if (entry != NULL && is_stale(to, entry))
		entry = NULL;
	if (entry != NULL && beyond_segment(to_at, length))
		return fail();
	if (entry != NULL && ebb_write_begin(entry, (uint32_t) to, (uint64_t) to_at, length) != 0)
		return -1;
	ssize_t n = copy_present(in, &from_at, out, &to_at, length, flags);
	int saved = errno;
	if (entry != NULL)
		ebb_write_end(entry, (uint64_t) written_at, length, n < 0 ? 0 : (uint64_t) n);
	if (n > 0 && in_offset != NULL)
		*in_offset = from_at;
	else if (n > 0)
		syscall(SYS_lseek, in, (off_t) from_at, SEEK_SET);
	if (n > 0 && out_offset != NULL)
		*out_offset = to_at;
	else if (n > 0)
		syscall(SYS_lseek, out, (off_t) to_at, SEEK_SET);
	errno = saved;
	return n;
}

/* ---------------------------------------------------------------- names */

/*
 * Around a call that only names a file: the file is made on disk first, and absence of one that is recorded as
 * existing is a fault (rule 19).
 */
#define NAMED(dirfd, path, call) \
	do \
	{ \
		struct ebb_entry *entry_; \
		uint32_t incarnation_; \
		if (ebb_appear((dirfd), (path), &entry_, &incarnation_) < 0) \
			return -1; \
		return named((call), entry_, incarnation_); \
	} while (0)

static int
named(long rc, const struct ebb_entry *entry, uint32_t incarnation)
{
	if (rc != 0 && errno == ENOENT && entry != NULL && ebb_load(&entry->incarnation) == incarnation &&
	    (ebb_load(&entry->state) & EBB_PHASE_MASK) == EBB_LIVE)
		return fail();
	return (int) rc;
}

static int
do_stat(int dirfd, const char *path, void *status, int flags)
{
	NAMED(dirfd, path, syscall(SYS_newfstatat, dirfd, path, status, flags));
}

EXPORT int
stat(const char *restrict path, struct stat *restrict status)
{
	return do_stat(AT_FDCWD, path, status, 0);
}

EXPORT int
stat64(const char *restrict path, struct stat64 *restrict status)
{
	return do_stat(AT_FDCWD, path, status, 0);
}

EXPORT int
lstat(const char *restrict path, struct stat *restrict status)
{
	return do_stat(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
}

EXPORT int
lstat64(const char *restrict path, struct stat64 *restrict status)
{
	return do_stat(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
}

EXPORT int
fstatat(int dirfd, const char *restrict path, struct stat *restrict status, int flags)
{
	return do_stat(dirfd, path, status, flags);
}

EXPORT int
fstatat64(int dirfd, const char *restrict path, struct stat64 *restrict status, int flags)
{
	return do_stat(dirfd, path, status, flags);
}

/* The spellings of binaries linked against a C library before 2.33. The kernel's struct is the C library's. */
int __xstat(int version, const char *path, struct stat *status);
int __xstat64(int version, const char *path, struct stat64 *status);
int __lxstat(int version, const char *path, struct stat *status);
int __lxstat64(int version, const char *path, struct stat64 *status);
int __fxstatat(int version, int dirfd, const char *path, struct stat *status, int flags);
int __fxstatat64(int version, int dirfd, const char *path, struct stat64 *status, int flags);

EXPORT int
__xstat(int version, const char *path, struct stat *status)
{
	(void) version;
	return do_stat(AT_FDCWD, path, status, 0);
}

EXPORT int
__xstat64(int version, const char *path, struct stat64 *status)
{
	(void) version;
	return do_stat(AT_FDCWD, path, status, 0);
}

EXPORT int
__lxstat(int version, const char *path, struct stat *status)
{
	(void) version;
	return do_stat(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
}

EXPORT int
__lxstat64(int version, const char *path, struct stat64 *status)
{
	(void) version;
	return do_stat(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
}

EXPORT int
__fxstatat(int version, int dirfd, const char *path, struct stat *status, int flags)
{
	(void) version;
	return do_stat(dirfd, path, status, flags);
}

EXPORT int
__fxstatat64(int version, int dirfd, const char *path, struct stat64 *status, int flags)
{
	(void) version;
	return do_stat(dirfd, path, status, flags);
}

EXPORT int
statx(int dirfd, const char *restrict path, int flags, unsigned mask, struct statx *restrict status)
{
	NAMED(dirfd, path, syscall(SYS_statx, dirfd, path, flags, mask, status));
}

EXPORT int
access(const char *path, int mode)
{
	NAMED(AT_FDCWD, path, syscall(SYS_faccessat, AT_FDCWD, path, mode));
}

typedef int (*faccessat_function)(int, const char *, int, int);

EXPORT int
faccessat(int dirfd, const char *path, int mode, int flags)
{
	faccessat_function real = (faccessat_function) dlsym(RTLD_NEXT, "faccessat");
	NAMED(dirfd, path, real(dirfd, path, mode, flags));
}

static int
do_unlink(int dirfd, const char *path, int flags)
{
	struct ebb_key key;
	if (flags == 0 && ebb_header != NULL && (dirfd == AT_FDCWD || path[0] == '/') && ebb_parse_path(path, &key))
		return ebb_unlink(dirfd, path, &key);
	return (int) syscall(SYS_unlinkat, dirfd, path, flags);
}

EXPORT int
unlink(const char *path)
{
	return do_unlink(AT_FDCWD, path, 0);
}

/* A directory whose files exist only in the snapshot is not empty. */
static int
do_rmdir(int dirfd, const char *path)
{
	struct ebb_key directory;
	if (ebb_header != NULL && ebb_parse_directory(path, &directory))
	{
		uint32_t low;
		uint32_t high;
		ebb_base_range(&directory, &low, &high);
		for (; low < high; low++)
		{
			if ((ebb_load(&ebb_entry_at(low)->state) & EBB_PHASE_MASK) != EBB_UNLINKED)
			{
				errno = ENOTEMPTY;
				return -1;
			}
		}
	}
	return (int) syscall(SYS_unlinkat, dirfd, path, AT_REMOVEDIR);
}

EXPORT int
unlinkat(int dirfd, const char *path, int flags)
{
	return (flags & AT_REMOVEDIR) != 0 ? do_rmdir(dirfd, path) : do_unlink(dirfd, path, flags);
}

EXPORT int
rmdir(const char *path)
{
	return do_rmdir(AT_FDCWD, path);
}

/* PostgreSQL renames and links none of the tracked files; a name that moved would leave the block map behind. */
static int
do_rename(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	struct ebb_key key;
	if (ebb_header != NULL && (ebb_parse_path(from, &key) || ebb_parse_path(to, &key) ||
	                           ebb_parse_directory(from, &key) || ebb_parse_directory(to, &key)))
		return fail();
	return (int) syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

EXPORT int
rename(const char *from, const char *to)
{
	return do_rename(AT_FDCWD, from, AT_FDCWD, to, 0);
}

EXPORT int
renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return do_rename(from_dir, from, to_dir, to, 0);
}

EXPORT int
renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	return do_rename(from_dir, from, to_dir, to, flags);
}

static int
do_link(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	struct ebb_key key;
	if (ebb_header != NULL && (ebb_parse_path(from, &key) || ebb_parse_path(to, &key)))
		return fail();
	return (int) syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
}

EXPORT int
link(const char *from, const char *to)
{
	return do_link(AT_FDCWD, from, AT_FDCWD, to, 0);
}

EXPORT int
linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	return do_link(from_dir, from, to_dir, to, flags);
}

/* ---------------------------------------------------------------- directories */

/*
 * Files of the snapshot that are not on the disk yet must appear in listings (rule 18): readdir leaves out what the
 * disk has of them and adds all that exist, from the base table, at the end; each name comes once, whatever is made
 * or unlinked meanwhile. Files made since are on the disk.
 *
 * The postmaster itself is left out: at every start it lists each base/N, in its own process, only to look for
 * temporary relations (RemovePgTempFiles, names t<backend>_<number>, never tracked), and a start must cost nothing
 * proportional to the number of relations. ResetUnloggedRelations, copydir, rmtree, pg_database_size and
 * SlruScanDirectory of tracked directories all run in its children. A single-user server does those itself, and is
 * therefore not left out.
 */
struct listing
{
	DIR *dir;
	struct ebb_key directory;
	uint32_t next;
	uint32_t high;
	bool synthetic;
	struct dirent entry;
};

#define MAX_LISTINGS 32

static struct listing listings[MAX_LISTINGS];
static int listings_open;

typedef DIR *(*opendir_function)(const char *);
typedef struct dirent *(*readdir_function)(DIR *);
typedef int (*closedir_function)(DIR *);
typedef void (*rewinddir_function)(DIR *);

static struct listing *
listing_of(DIR *dir)
{
	for (int i = 0; listings_open > 0 && i < MAX_LISTINGS; i++)
	{
		if (listings[i].dir == dir)
			return &listings[i];
	}
	return NULL;
}

EXPORT DIR *
opendir(const char *path)
{
	static opendir_function real;
	struct ebb_key directory;
	if (real == NULL)
		real = (opendir_function) dlsym(RTLD_NEXT, "opendir");
	DIR *dir = real(path);
	if (dir == NULL || ebb_header == NULL || !ebb_parse_directory(path, &directory) ||
	    (!single_user && (uint32_t) getpid() == ebb_load(&ebb_header->postmaster_pid)))
		return dir;
	for (int i = 0; i < MAX_LISTINGS; i++)
	{
		struct listing *listing = &listings[i];
		if (listing->dir != NULL)
			continue;
		listing->dir = dir;
		listing->directory = directory;
		listing->synthetic = false;
		ebb_base_range(&directory, &listing->next, &listing->high);
		listings_open++;
		return dir;
	}
	closedir(dir);
	errno = EMFILE;
	return NULL;
}

static struct dirent *
synthetic_entry(struct listing *listing)
{
	while (listing->next < listing->high)
	{
		struct ebb_entry *entry = ebb_entry_at(listing->next++);
		uint32_t phase = ebb_load(&entry->state) & EBB_PHASE_MASK;
		if (phase == EBB_UNLINKED || phase == EBB_UNLINKING || phase == EBB_CREATING)
			continue;
		memset(&listing->entry, 0, sizeof listing->entry);
		listing->entry.d_ino = 1;
		listing->entry.d_reclen = sizeof listing->entry;
		listing->entry.d_type = DT_REG;
		ebb_format_name(&entry->key, listing->entry.d_name, sizeof listing->entry.d_name);
		return &listing->entry;
	}
	return NULL;
}

static struct dirent *
do_readdir(const char *name, DIR *dir)
{
	static readdir_function real;
	struct listing *listing = listing_of(dir);
	if (real == NULL)
		real = (readdir_function) dlsym(RTLD_NEXT, name);
	if (listing == NULL)
		return real(dir);
	while (!listing->synthetic)
	{
		struct ebb_key key;
		int saved = errno;
		errno = 0;
		struct dirent *entry = real(dir);
		if (entry == NULL)
		{
			if (errno != 0)
				return NULL;
			errno = saved;
			listing->synthetic = true;
			break;
		}
		errno = saved;
		if (!ebb_parse_name(entry->d_name, &listing->directory, &key) || ebb_find_base(&key) == NULL)
			return entry;
	}
	return synthetic_entry(listing);
}

EXPORT struct dirent *
readdir(DIR *dir)
{
	return do_readdir("readdir", dir);
}

EXPORT struct dirent64 *
readdir64(DIR *dir)
{
	return (struct dirent64 *) do_readdir("readdir", dir);
}

EXPORT void
rewinddir(DIR *dir)
{
	struct listing *listing = listing_of(dir);
	if (listing != NULL)
	{
		listing->synthetic = false;
		ebb_base_range(&listing->directory, &listing->next, &listing->high);
	}
	((rewinddir_function) dlsym(RTLD_NEXT, "rewinddir"))(dir);
}

EXPORT int
closedir(DIR *dir)
{
	static closedir_function real;
	struct listing *listing = listing_of(dir);
	if (real == NULL)
		real = (closedir_function) dlsym(RTLD_NEXT, "closedir");
	if (listing != NULL)
	{
		listing->dir = NULL;
		listings_open--;
	}
	return real(dir);
}
