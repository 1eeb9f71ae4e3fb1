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
	syscall(SYS_close, fd);
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
	    (header->new_capacity & (header->new_capacity - 1)) != 0 || header->total_bytes != (uint64_t) size ||
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

static struct ebb_entry *
find_new(const struct ebb_key *key, struct ebb_entry **empty_slot)
{
	uint32_t mask = ebb_header->new_capacity - 1;
	uint32_t at = hash(key) & mask;
	for (uint32_t probes = 0; probes <= mask; probes++, at = (at + 1) & mask)
	{
		struct ebb_entry *entry = new_table + at;
		if (ebb_load(&entry->slot) == EBB_SLOT_EMPTY)
		{
			if (empty_slot != NULL)
				*empty_slot = entry;
			return NULL;
		}
		if (compare(&entry->key, key) == 0)
			return entry;
	}
	return NULL;
}

struct ebb_entry *
ebb_find(const struct ebb_key *key)
{
	struct ebb_entry *entry = ebb_find_base(key);
	return entry != NULL ? entry : find_new(key, NULL);
}

/*
 * The entry of this key, inserted as UNLINKED if there is none; NULL if the table is full or the lock is stuck.
 * Insertions take turns under a lock that covers memory operations only; lookups take none.
 */
struct ebb_entry *
ebb_insert(const struct ebb_key *key)
{
	struct ebb_wait wait;
	struct ebb_entry *entry;
	struct ebb_entry *empty_slot = NULL;
	ebb_wait_start(&wait);
	while (!ebb_cas(&ebb_header->insert_lock, 0, (uint32_t) getpid()))
	{
		if (!ebb_wait_pause(&wait))
			return NULL;
	}
	entry = ebb_find_base(key);
	if (entry == NULL)
		entry = find_new(key, &empty_slot);
	if (entry == NULL && empty_slot != NULL)
	{
		entry = empty_slot;
		entry->key = *key;
		entry->base_blocks = 0;
		ebb_store(&entry->incarnation, ebb_next_incarnation());
		ebb_store(&entry->lazy_blocks, 0);
		ebb_store(&entry->size_blocks, 0);
		ebb_store(&entry->dirty_chunks[0], 0);
		ebb_store(&entry->dirty_chunks[1], 0);
		ebb_store(&entry->state, EBB_UNLINKED);
		ebb_store(&entry->slot, EBB_SLOT_USED);
		ebb_add(&ebb_header->new_count, 1);
	}
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
