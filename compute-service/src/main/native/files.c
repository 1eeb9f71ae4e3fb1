/* The life of a tracked file: made on the local disk at first sight, opened, resized, unlinked, made again. */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int
fail(void)
{
	ebb_count(EBB_STAT_ERRORS, 1);
	errno = EIO;
	return -1;
}

static uint32_t
blocks_of(off_t bytes)
{
	uint64_t blocks = ((uint64_t) bytes + EBB_BLOCK_SIZE - 1) / EBB_BLOCK_SIZE;
	return blocks > EBB_WORDS_PER_ENTRY ? EBB_WORDS_PER_ENTRY : (uint32_t) blocks;
}

/* The phase once nobody is changing the entry; -1 with EIO after the bound. */
int
ebb_settled_phase(struct ebb_entry *entry)
{
	struct ebb_wait wait;
	ebb_wait_start(&wait);
	for (;;)
	{
		uint32_t phase = ebb_load(&entry->state) & EBB_PHASE_MASK;
		if (phase == EBB_LIVE || phase == EBB_VIRTUAL || phase == EBB_UNLINKED)
			return (int) phase;
		if (!ebb_wait_pause(&wait))
			return fail();
	}
}

/* Makes the sparse file of an entry that is VIRTUAL; 0 also when another process did. */
int
ebb_materialise(struct ebb_entry *entry, int dirfd, const char *path)
{
	if (!ebb_move(entry, EBB_VIRTUAL, EBB_MATERIALISING))
		return ebb_settled_phase(entry) < 0 ? -1 : 0;
	uint32_t size = ebb_load(&entry->size_blocks);
	if (ebb_back_words(entry, size) != 0)
	{
		int saved = errno;
		ebb_move(entry, EBB_MATERIALISING, EBB_VIRTUAL);
		fail();
		errno = saved;
		return -1;
	}
	int fd = (int) syscall(SYS_openat, dirfd, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	bool made = fd >= 0 &&
		syscall(SYS_ftruncate, fd, (off_t) size * (off_t) EBB_BLOCK_SIZE) == 0;
	if (fd >= 0)
		syscall(SYS_close, fd);
	ebb_move(entry, EBB_MATERIALISING, made ? EBB_LIVE : EBB_VIRTUAL);
	if (!made)
		return fail();
	ebb_count(EBB_STAT_MATERIALISED, 1);
	return 0;
}

/* In phase CREATING: the file exists and is this long; nothing of it is in the snapshot. */
static int
born(struct ebb_entry *entry, uint32_t blocks, uint32_t incarnation)
{
	ebb_store(&entry->lazy_blocks, 0);
	if (ebb_back_words(entry, blocks) != 0 || ebb_mark_dirty(entry, 0, blocks) != 0)
	{
		ebb_move(entry, EBB_CREATING, EBB_UNLINKED);
		return -1;
	}
	ebb_store(&entry->size_blocks, blocks);
	ebb_store(&entry->incarnation, incarnation);
	ebb_or(&entry->state, EBB_SIZE_CHANGED);
	ebb_move(entry, EBB_CREATING, EBB_LIVE);
	return 0;
}

/* A file that lies on the disk though nobody recorded it: every block of it counts as new. */
static int
adopt(struct ebb_entry *entry, int fd, const struct ebb_key *key)
{
	struct stat status;
	if (!ebb_move(entry, EBB_UNLINKED, EBB_CREATING))
		return 0;
	if (!ebb_has_key(entry, key) || fstat(fd, &status) != 0 || status.st_nlink == 0)
	{
		ebb_move(entry, EBB_CREATING, EBB_UNLINKED);
		return 0;
	}
	ebb_count(EBB_STAT_ADOPTED, 1);
	return born(entry, blocks_of(status.st_size), ebb_next_incarnation());
}

static int
open_live(struct ebb_entry *entry, const struct ebb_key *key, int dirfd, const char *path, int flags, mode_t mode,
          bool *again)
{
	uint32_t incarnation = ebb_load(&entry->incarnation);
	if (!ebb_is(entry, key, incarnation))
	{
		*again = true;
		return -1;
	}
	bool truncate = (flags & O_TRUNC) != 0 && (flags & O_ACCMODE) != O_RDONLY;
	int plain = flags & ~O_TRUNC;
	if ((flags & O_EXCL) == 0)
		plain &= ~O_CREAT;
	int fd = (int) syscall(SYS_openat, dirfd, path, plain, mode);
	bool same = ebb_load(&entry->incarnation) == incarnation &&
		(ebb_load(&entry->state) & EBB_PHASE_MASK) == EBB_LIVE;
	if (!same)
	{
		if (fd >= 0)
			syscall(SYS_close, fd);
		*again = true;
		return -1;
	}
	if (fd < 0)
		return errno == ENOENT ? fail() : -1; /* rule 19: recorded as existing, so absence is a fault */
	if (!ebb_fd_set(fd, entry, incarnation))
	{
		syscall(SYS_close, fd);
		errno = EMFILE;
		return -1;
	}
	if (truncate && ebb_resize(entry, incarnation, fd, NULL, 0) != 0)
	{
		int saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* The entry is UNLINKED, or there is none: creates the file if asked to, adopts it if it is there all the same. */
static int
open_gone(struct ebb_entry *entry, const struct ebb_key *key, int dirfd, const char *path, int flags, mode_t mode,
          bool *again)
{
	if ((flags & O_CREAT) == 0)
	{
		int fd = (int) syscall(SYS_openat, dirfd, path, flags & ~O_TRUNC, mode);
		if (fd < 0)
			return -1;
		*again = adopt(entry, fd, key) == 0;
		syscall(SYS_close, fd);
		return -1;
	}
	if (!ebb_move(entry, EBB_UNLINKED, EBB_CREATING))
	{
		*again = true;
		return -1;
	}
	if (!ebb_has_key(entry, key))
	{
		ebb_move(entry, EBB_CREATING, EBB_UNLINKED);
		*again = true;
		return -1;
	}
	int fd = (int) syscall(SYS_openat, dirfd, path, flags | O_EXCL, mode);
	if (fd < 0)
	{
		int saved = errno;
		ebb_move(entry, EBB_CREATING, EBB_UNLINKED);
		if (saved == EEXIST && (flags & O_EXCL) == 0)
			return open_gone(entry, key, dirfd, path, flags & ~O_CREAT, mode, again);
		errno = saved;
		return -1;
	}
	uint32_t incarnation = ebb_next_incarnation();
	born(entry, 0, incarnation); /* marks nothing, so cannot fail */
	if (!ebb_fd_set(fd, entry, incarnation))
	{
		syscall(SYS_close, fd);
		errno = EMFILE;
		return -1;
	}
	return fd;
}

int
ebb_open(int dirfd, const char *path, int flags, mode_t mode, const struct ebb_key *key)
{
	for (int rounds = 0; rounds < 1000; rounds++)
	{
		bool again = false;
		int fd;
		struct ebb_entry *entry = ebb_find(key);
		if (entry == NULL)
		{
			if ((flags & O_CREAT) == 0 && syscall(SYS_faccessat, dirfd, path, F_OK) != 0)
				return -1;
			entry = ebb_insert(key);
			if (entry == NULL)
			{
				ebb_count(EBB_STAT_ERRORS, 1);
				errno = ENOSPC;
				return -1;
			}
		}
		int phase = ebb_settled_phase(entry);
		if (phase < 0)
			return -1;
		if (phase == EBB_VIRTUAL)
		{
			if (ebb_materialise(entry, dirfd, path) != 0)
				return -1;
			continue;
		}
		fd = phase == EBB_LIVE ? open_live(entry, key, dirfd, path, flags, mode, &again)
		                       : open_gone(entry, key, dirfd, path, flags, mode, &again);
		if (!again)
			return fd;
	}
	return fail();
}

/* In a phase that only this process may change: the name is gone, or about to be. */
static void
gone(struct ebb_entry *entry, enum ebb_phase from)
{
	uint32_t blocks = ebb_load(&entry->size_blocks);
	ebb_store(&entry->lazy_blocks, 0);
	ebb_store(&entry->size_blocks, 0);
	ebb_forget_absent(entry, 0, blocks);
	ebb_store(&entry->incarnation, ebb_next_incarnation());
	ebb_or(&entry->state, EBB_SIZE_CHANGED);
	ebb_move(entry, from, EBB_UNLINKED);
}

int
ebb_unlink(int dirfd, const char *path, const struct ebb_key *key)
{
	for (int rounds = 0; rounds < 1000; rounds++)
	{
		struct ebb_entry *entry = ebb_find(key);
		if (entry == NULL)
			return (int) syscall(SYS_unlinkat, dirfd, path, 0);
		uint32_t incarnation = ebb_load(&entry->incarnation);
		int phase = ebb_settled_phase(entry);
		if (phase < 0)
			return -1;
		if (!ebb_is(entry, key, incarnation))
			continue;
		if (phase == EBB_UNLINKED)
			return (int) syscall(SYS_unlinkat, dirfd, path, 0);
		if (!ebb_move(entry, (enum ebb_phase) phase, EBB_UNLINKING))
			continue;
		if (!ebb_has_key(entry, key))
		{
			ebb_move(entry, EBB_UNLINKING, (enum ebb_phase) phase);
			continue;
		}
		if (phase == EBB_LIVE)
		{
			if (ebb_wait_fillers(entry, 0, ebb_load(&entry->size_blocks)) != 0 ||
			    syscall(SYS_unlinkat, dirfd, path, 0) != 0)
			{
				int saved = errno;
				ebb_move(entry, EBB_UNLINKING, EBB_LIVE);
				errno = saved == ENOENT ? EIO : saved;
				return -1;
			}
		}
		gone(entry, EBB_UNLINKING);
		return 0;
	}
	return fail();
}

static int
real_truncate(int fd, const char *path, off_t length)
{
	long rc;
	do
		rc = fd >= 0 ? syscall(SYS_ftruncate, fd, length) : syscall(SYS_truncate, path, length);
	while (rc != 0 && errno == EINTR);
	return (int) rc;
}

/* The file that was to be resized has been unlinked: a descriptor of it is as good as ever, its name is not. */
static int
resize_stale(int fd, off_t length)
{
	if (fd >= 0)
		return real_truncate(fd, NULL, length);
	errno = ESTALE;
	return -1;
}

int
ebb_resize(struct ebb_entry *entry, uint32_t incarnation, int fd, const char *path, off_t length)
{
	uint32_t blocks = blocks_of(length);
	if (length < 0 || (uint64_t) length > (uint64_t) EBB_WORDS_PER_ENTRY * EBB_BLOCK_SIZE)
	{
		errno = EFBIG;
		return -1;
	}
	/* A cut inside a block keeps the start of it: that must be there before, and differs afterwards. */
	if (length % EBB_BLOCK_SIZE != 0 && blocks <= ebb_load(&entry->size_blocks))
	{
		if (ebb_hydrate(entry, incarnation, blocks - 1, 1) != 0)
			return -1;
		if (ebb_mark_dirty(entry, blocks - 1, blocks) != 0)
			return -1;
	}
	while (!ebb_move(entry, EBB_LIVE, EBB_TRUNCATING))
	{
		if (ebb_settled_phase(entry) < 0)
			return -1;
		if (ebb_load(&entry->incarnation) != incarnation)
			return resize_stale(fd, length);
	}
	if (ebb_load(&entry->incarnation) != incarnation)
	{
		ebb_move(entry, EBB_TRUNCATING, EBB_LIVE);
		return resize_stale(fd, length);
	}
	uint32_t size = ebb_load(&entry->size_blocks);
	/* The blocks that come in are zeroes, whatever was there before; those that go must not be in filling. */
	if (ebb_back_words(entry, blocks) != 0 || ebb_mark_dirty(entry, size, blocks) != 0 ||
	    ebb_wait_fillers(entry, blocks, size) != 0 ||
	    real_truncate(fd, path, length) != 0)
	{
		int saved = errno;
		ebb_move(entry, EBB_TRUNCATING, EBB_LIVE);
		errno = saved;
		return -1;
	}
	if (blocks < ebb_load(&entry->lazy_blocks))
		ebb_store(&entry->lazy_blocks, blocks);
	ebb_store(&entry->size_blocks, blocks);
	ebb_forget_absent(entry, blocks, size);
	if (blocks != size)
		ebb_or(&entry->state, EBB_SIZE_CHANGED);
	ebb_move(entry, EBB_TRUNCATING, EBB_LIVE);
	return 0;
}

int
ebb_hydrate_all(struct ebb_entry *entry, uint32_t incarnation)
{
	uint64_t ignored;
	uint32_t size = ebb_load(&entry->size_blocks);
	for (uint32_t first = 0; first < size; first += EBB_CHUNK_BLOCKS)
	{
		uint32_t count = size - first < EBB_CHUNK_BLOCKS ? size - first : EBB_CHUNK_BLOCKS;
		if (!ebb_blocks_ready(entry, first, count, &ignored) && ebb_hydrate(entry, incarnation, first, count) != 0)
			return -1;
	}
	return 0;
}

int
ebb_appear(int dirfd, const char *path, struct ebb_entry **found, uint32_t *incarnation)
{
	struct ebb_key key;
	*found = NULL;
	*incarnation = 0;
	if (ebb_header == NULL || path == NULL || (dirfd != AT_FDCWD && *path != '/') || !ebb_parse_path(path, &key))
		return 1;
	for (int rounds = 0; rounds < 1000; rounds++)
	{
		struct ebb_entry *entry = ebb_find(&key);
		if (entry == NULL)
			return 1;
		uint32_t seen = ebb_load(&entry->incarnation);
		int phase = ebb_settled_phase(entry);
		if (phase < 0 || (phase == EBB_VIRTUAL && ebb_materialise(entry, dirfd, path) != 0))
			return -1;
		if (!ebb_is(entry, &key, seen))
			continue;
		*found = entry;
		*incarnation = seen;
		return 1;
	}
	return fail();
}
