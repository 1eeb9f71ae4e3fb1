/* Mapping the arena, finding and inserting entries, bounded waiting. */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct ebb_header *ebb_header;
int64_t ebb_timeout_nanos = INT64_C(30000000000);

static struct ebb_entry *base_table;
static struct ebb_entry *new_table;
static uint32_t *words;
static int arena_fd = -1;

/* Out of the way of PostgreSQL's own descriptors. */
#define LOWEST_FD 512

/* Allocates a part of the arena's file. */
static int
back(uint64_t offset, uint64_t length)
{
	long rc;
	do
		rc = syscall(SYS_fallocate, arena_fd, 0, (off_t) offset, (off_t) length);
	while (rc != 0 && errno == EINTR);
	/* A file system that cannot: then a full one is a SIGBUS, as with any file that is mapped there. */
	return rc == 0 || errno == EOPNOTSUPP || errno == ENOSYS ? 0 : -1;
}

int
ebb_back_words(struct ebb_entry *entry, uint32_t end)
{
	uint32_t backed = ebb_load(&entry->backed_blocks);
	if (end <= backed)
		return 0;
	uint32_t wanted = (end + EBB_CHUNK_BLOCKS - 1) / EBB_CHUNK_BLOCKS * EBB_CHUNK_BLOCKS;
	uint64_t at = (uint64_t) ebb_index_of(entry) * EBB_WORDS_PER_ENTRY + backed;
	if (back(ebb_header->words_offset + at * sizeof(uint32_t), (uint64_t) (wanted - backed) * sizeof(uint32_t)) != 0)
		return -1;
	while (backed < wanted && !ebb_cas(&entry->backed_blocks, backed, wanted))
		backed = ebb_load(&entry->backed_blocks);
	return 0;
}

/* Whether the entry at this place of the new table may be touched. */
static bool
is_backed(uint32_t at)
{
	uint32_t page = at / EBB_ENTRIES_PER_PAGE;
	return (ebb_load(&ebb_header->table_backed[page >> 6]) & (UINT64_C(1) << (page & 63))) != 0;
}

static bool
is_empty(uint32_t at)
{
	return !is_backed(at) || ebb_load(&new_table[at].slot) == EBB_SLOT_EMPTY;
}

/* Under the insert lock. */
static bool
back_entry(uint32_t at)
{
	uint32_t page = at / EBB_ENTRIES_PER_PAGE;
	if (is_backed(at))
		return true;
	if (back(ebb_header->new_offset + (uint64_t) page * EBB_PAGE_BYTES, EBB_PAGE_BYTES) != 0)
		return false;
	ebb_or(&ebb_header->table_backed[page >> 6], UINT64_C(1) << (page & 63));
	return true;
}

bool
ebb_arena_map(const char *path, char *error, size_t error_size)
{
	int fd = (int) syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
	{
		snprintf(error, error_size, "cannot open the arena %s: %s", path, strerror(errno));
		return false;
	}
	off_t size = lseek(fd, 0, SEEK_END);
	void *mapped = size < (off_t) EBB_HEADER_BYTES
		? MAP_FAILED
		: mmap(NULL, (size_t) size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	int map_errno = errno;
	int high = fcntl(fd, F_DUPFD_CLOEXEC, LOWEST_FD);
	if (high >= 0)
		syscall(SYS_close, fd);
	arena_fd = high >= 0 ? high : fd;
	if (mapped == MAP_FAILED)
	{
		snprintf(error, error_size, "cannot map the arena %s of %lld bytes: %s", path, (long long) size,
		         strerror(map_errno));
		return false;
	}
	struct ebb_header *header = mapped;
	uint64_t entries = (uint64_t) header->base_count + header->new_capacity;
	if (header->magic != EBB_ARENA_MAGIC || header->version != EBB_ARENA_VERSION ||
	    header->block_size != EBB_BLOCK_SIZE || header->new_capacity == 0 ||
	    header->new_capacity > EBB_MAX_NEW_CAPACITY || (header->new_capacity & (header->new_capacity - 1)) != 0 || header->total_bytes != (uint64_t) size ||
	    header->words_offset + entries * EBB_WORDS_PER_ENTRY * 4 > (uint64_t) size)
	{
		snprintf(error, error_size, "%s is not an arena of version %u: the page shim and the agent differ", path,
		         EBB_ARENA_VERSION);
		munmap(mapped, (size_t) size);
		return false;
	}
	base_table = (struct ebb_entry *) ((char *) mapped + header->base_offset);
	new_table = (struct ebb_entry *) ((char *) mapped + header->new_offset);
	words = (uint32_t *) ((char *) mapped + header->words_offset);
	ebb_header = header;
	return true;
}

struct ebb_entry *
ebb_entry_at(uint32_t index)
{
	return index < ebb_header->base_count ? base_table + index : new_table + (index - ebb_header->base_count);
}

uint32_t
ebb_index_of(const struct ebb_entry *entry)
{
	if (entry >= base_table && entry < base_table + ebb_header->base_count)
		return (uint32_t) (entry - base_table);
	return ebb_header->base_count + (uint32_t) (entry - new_table);
}

uint32_t *
ebb_words_of(const struct ebb_entry *entry)
{
	return words + (size_t) ebb_index_of(entry) * EBB_WORDS_PER_ENTRY;
}

static int
compare(const struct ebb_key *a, const struct ebb_key *b)
{
#define EBB_COMPARE(field) \
	if (a->field != b->field) \
	return a->field < b->field ? -1 : 1
	EBB_COMPARE(kind);
	EBB_COMPARE(database);
	EBB_COMPARE(relation);
	EBB_COMPARE(fork);
	EBB_COMPARE(segment);
#undef EBB_COMPARE
	return 0;
}

/* The first base entry that is not below the key. */
static uint32_t
lower_bound(const struct ebb_key *key)
{
	uint32_t low = 0;
	uint32_t high = ebb_header->base_count;
	while (low < high)
	{
		uint32_t middle = low + (high - low) / 2;
		if (compare(&base_table[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct ebb_entry *
ebb_find_base(const struct ebb_key *key)
{
	uint32_t at = lower_bound(key);
	return at < ebb_header->base_count && compare(&base_table[at].key, key) == 0 ? base_table + at : NULL;
}

void
ebb_base_range(const struct ebb_key *directory, uint32_t *low, uint32_t *high)
{
	struct ebb_key first = *directory;
	struct ebb_key next = *directory;
	first.relation = first.fork = first.segment = 0;
	next.relation = next.fork = next.segment = UINT32_MAX;
	*low = lower_bound(&first);
	*high = lower_bound(&next);
}

static uint32_t
hash(const struct ebb_key *key)
{
	uint64_t h = UINT64_C(0x9E3779B97F4A7C15);
	const uint32_t parts[5] = {key->kind, key->database, key->relation, key->fork, key->segment};
	for (int i = 0; i < 5; i++)
	{
		h ^= parts[i];
		h *= UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 32;
	}
	return (uint32_t) h;
}

bool
ebb_has_key(const struct ebb_entry *entry, const struct ebb_key *key)
{
	/* Part by part: it may be given another one meanwhile. */
	return ebb_load(&entry->key.relation) == key->relation && ebb_load(&entry->key.segment) == key->segment &&
		ebb_load(&entry->key.fork) == key->fork && ebb_load(&entry->key.database) == key->database &&
		ebb_load(&entry->key.kind) == key->kind;
}

bool
ebb_is(const struct ebb_entry *entry, const struct ebb_key *key, uint32_t incarnation)
{
	return ebb_has_key(entry, key) && ebb_load(&entry->incarnation) == incarnation;
}

/* Takes the entry from one phase to another, keeping the sticky flags; false if it is in another phase. */
bool
ebb_move(struct ebb_entry *entry, enum ebb_phase from, enum ebb_phase to)
{
	for (;;)
	{
		uint32_t state = ebb_load(&entry->state);
		if ((state & EBB_PHASE_MASK) != from)
			return false;
		if (ebb_cas(&entry->state, state, (state & ~EBB_PHASE_MASK) | to))
			return true;
	}
}

/*
 * Looks along the key's chain, without a lock. May find an entry that is just being given another key: the caller
 * makes sure (arena.h).
 */
static struct ebb_entry *
find_new(const struct ebb_key *key)
{
	uint32_t mask = ebb_header->new_capacity - 1;
	uint32_t at = hash(key) & mask;
	for (uint32_t probes = 0; probes <= mask; probes++, at = (at + 1) & mask)
	{
		struct ebb_entry *entry = new_table + at;
		if (is_empty(at))
			return NULL;
		if (ebb_has_key(entry, key))
			return entry;
	}
	return NULL;
}

struct ebb_entry *
ebb_find(const struct ebb_key *key)
{
	struct ebb_entry *entry = ebb_find_base(key);
	return entry != NULL ? entry : find_new(key);
}

/* Under the insert lock, with the entry in phase CREATING. Leaves it UNLINKED. */
static void
give_key(struct ebb_entry *entry, const struct ebb_key *key)
{
	/* First: whoever reads the key between two looks at the incarnation then knows that it changed. */
	ebb_store(&entry->incarnation, ebb_next_incarnation());
	ebb_store(&entry->key.kind, key->kind);
	ebb_store(&entry->key.database, key->database);
	ebb_store(&entry->key.relation, key->relation);
	ebb_store(&entry->key.fork, key->fork);
	ebb_store(&entry->key.segment, key->segment);
	ebb_store(&entry->lazy_blocks, 0);
	ebb_store(&entry->size_blocks, 0);
	ebb_move(entry, EBB_CREATING, EBB_UNLINKED);
}

/* Makes an empty entry ready to be given a key. Late processes may hold its phase for a moment. */
static bool
claim_empty(struct ebb_entry *entry)
{
	struct ebb_wait wait;
	if (ebb_load(&entry->incarnation) == 0)
	{
		ebb_store(&entry->state, EBB_CREATING); /* never used: nobody else knows of it */
		return true;
	}
	ebb_wait_start(&wait);
	while (!ebb_move(entry, EBB_UNLINKED, EBB_CREATING))
	{
		if (!ebb_wait_pause(&wait))
			return false;
	}
	return true;
}

/*
 * Entries of dropped files at the end of a chain become empty, from `end`, which is empty, backwards: no chain goes
 * through them. Otherwise chains would only ever grow.
 */
static void
trim_chain(uint32_t end, const struct ebb_entry *keep)
{
	static const struct ebb_key none = {.kind = EBB_NO_KIND};
	uint32_t mask = ebb_header->new_capacity - 1;
	for (uint32_t at = (end - 1) & mask; at != end; at = (at - 1) & mask)
	{
		struct ebb_entry *entry = new_table + at;
		if (entry == keep || is_empty(at) || !ebb_move(entry, EBB_UNLINKED, EBB_CREATING))
			return;
		ebb_store(&entry->slot, EBB_SLOT_EMPTY);
		ebb_add(&ebb_header->new_count, UINT32_MAX);
		give_key(entry, &none);
	}
}

/* Under the insert lock: the key's entry in the new table, made of one that is free if there is none. */
static struct ebb_entry *
find_or_place(const struct ebb_key *key)
{
	uint32_t mask = ebb_header->new_capacity - 1;
	uint32_t at = hash(key) & mask;
	struct ebb_entry *dropped = NULL;
	for (uint32_t probes = 0; probes <= mask; probes++, at = (at + 1) & mask)
	{
		struct ebb_entry *entry = new_table + at;
		if (is_empty(at))
		{
			trim_chain(at, dropped);
			if (dropped != NULL)
				break;
			if (!back_entry(at) || !claim_empty(entry))
				return NULL;
			give_key(entry, key);
			ebb_store(&entry->slot, EBB_SLOT_USED);
			ebb_add(&ebb_header->new_count, 1);
			return entry;
		}
		if (ebb_has_key(entry, key))
		{
			if (dropped != NULL)
				ebb_move(dropped, EBB_CREATING, EBB_UNLINKED);
			return entry;
		}
		if (dropped == NULL && ebb_move(entry, EBB_UNLINKED, EBB_CREATING))
			dropped = entry;
	}
	if (dropped != NULL)
		give_key(dropped, key);
	return dropped;
}

/*
 * The entry of this key, inserted as UNLINKED if there is none; NULL if the table, or the memory that it is in, is
 * full, or the lock is stuck. Insertions take turns under a lock that covers memory operations only; lookups take none.
 */
struct ebb_entry *
ebb_insert(const struct ebb_key *key)
{
	struct ebb_wait wait;
	ebb_wait_start(&wait);
	while (!ebb_cas(&ebb_header->insert_lock, 0, (uint32_t) getpid()))
	{
		if (!ebb_wait_pause(&wait))
			return NULL;
	}
	struct ebb_entry *entry = ebb_find_base(key);
	if (entry == NULL)
		entry = find_or_place(key);
	ebb_store(&ebb_header->insert_lock, 0);
	return entry;
}

uint32_t
ebb_next_incarnation(void)
{
	return ebb_add(&ebb_header->next_incarnation, 1);
}

void
ebb_count(enum ebb_stat stat, uint64_t n)
{
	__atomic_fetch_add(&ebb_header->stats[stat], n, __ATOMIC_RELAXED);
}

int64_t
ebb_now_nanos(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

void
ebb_wait_start(struct ebb_wait *wait)
{
	wait->deadline_nanos = 0;
	wait->rounds = 0;
}

bool
ebb_wait_pause(struct ebb_wait *wait)
{
	unsigned round = wait->rounds++;
	if (round < 16)
	{
		sched_yield();
		return true;
	}
	int64_t now = ebb_now_nanos();
	if (wait->deadline_nanos == 0)
		wait->deadline_nanos = now + ebb_timeout_nanos;
	if (now >= wait->deadline_nanos)
		return false;
	struct timespec pause = {0, round < 64 ? 20000 : round < 256 ? 200000 : 1000000};
	nanosleep(&pause, NULL);
	return true;
}
