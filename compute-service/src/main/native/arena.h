/*
 * The arena: the block map that PostgreSQL's processes (through the page shim) and the compute agent share.
 *
 * One memory-mapped file per compute. dev.ebb.computeservice.blockmap.BlockMap holds the same layout in Java:
 * change both, and EBB_ARENA_VERSION, together. All numbers are little-endian; x86_64 and aarch64 only.
 *
 *   offset 0         header, 4096 bytes
 *   base_offset      base_count entries of 64 bytes, sorted by key: the files of the snapshot
 *   new_offset       new_capacity (a power of two) entries: an open-addressing table of files created since
 *   words_offset     (base_count + new_capacity) x 131072 words of 4 bytes, sparse; a word of zero needs no initialising
 *
 * A hole of the file that is touched through a mapping is a SIGBUS where the file system is full. So none is: pages of
 * the new table (header.table_backed) and words (entry.backed_blocks) are allocated before they are first touched, by
 * a call that can fail, and what is not backed is not looked at: it is empty, and untouched.
 *
 * An entry's index is its place in the base table, or base_count + its slot in the new table. It never moves, but in
 * the new table it is used again: an UNLINKED entry there may be given another name, by ebb_insert, which claims it
 * (CREATING) for as long as that takes and gives it a new incarnation before it changes the key. Hence
 *   - a key may be trusted while its phase is held, or between two looks at the incarnation that are equal;
 *   - who found an entry by name looks at the key again once it holds the phase, and searches again if it differs;
 *   - what belongs to an incarnation (a descriptor, a fill, a captured block) is checked against it, never the index.
 * The words of an entry are never reset, only changed by compare-and-set: what is late finds words that it may change
 * without harm. An entry at the end of a chain of the table may also become empty again; then it has no key.
 *
 * Entry state: a phase in the low byte and sticky flags above it. A phase named ...ING is a lock: the process that
 * set it is the only one to change the entry; everybody else waits, bounded. If that process dies the whole cluster
 * is going down (restart_after_crash=off) and the arena is thrown away with it.
 *
 *   VIRTUAL -> MATERIALISING -> LIVE -> TRUNCATING -> LIVE
 *   VIRTUAL | LIVE -> UNLINKING -> UNLINKED -> CREATING -> LIVE
 *
 * incarnation: rises (header counter) whenever a file is unlinked and whenever it is created, so a descriptor
 * opened before can be told from the file that has the name now. Incarnations below first_new_incarnation are
 * files of the snapshot.
 * lazy_blocks: an untouched block below this number is absent; at or above it, present. Starts at base_blocks,
 * falls with each truncation, 0 once unlinked. It never rises, so a truncated block can never become absent again.
 * size_blocks: the file's size as the shim knows it; may run ahead of a write that is under way or has failed.
 * dirty_chunks: bit n set = some word of blocks [1024 n, 1024 n + 1024) became dirty. Set after the word's dirty
 * bit; the agent clears the mask before it scans the words. So a dirty word always has its bit set, or is about to
 * be scanned.
 *
 * Block word:
 *   bits 0-1   UNTOUCHED, FILLING, PRESENT, ABSENT (evicted)
 *   bit  2     dirty: differs from the last captured snapshot
 *   bit  3     capturing: read by a capture whose manifest is not committed yet
 *   bits 4-6   writers that are inside their pwrite
 *   bit  7     accessed: read or written since the agent looked last; set by the shim, cleared by the agent
 *   bits 8-31  version: rises at the start of each write and at eviction
 *
 * The block is "odd" (rule 14) while writers > 0. A count instead of an odd/even counter, so that a second writer of
 * the block cannot make it look settled while the first still writes. PostgreSQL itself writes a shared buffer under
 * BM_IO_IN_PROGRESS, one writer at a time; the count also covers what passes beside shared buffers.
 *
 * Eviction is the agent's: PRESENT, neither dirty nor capturing and without writers, becomes FILLING in a new version;
 * then its space on the disk is given back; then it is ABSENT. To everybody else it is like a fill that fails: writers,
 * truncations and unlinks wait, a reader whose block it was meanwhile sees another version and reads again. Nothing
 * else makes a present block absent. Before the first one EBB_FLAG_EVICTS is set: from then on a file that has been
 * unlinked may have holes, whatever its incarnation. Files with EBB_PINNED, which are read past the shim, are left out.
 *
 * A whole-block write to an absent block is a fill by the writer: FILLING with writers = 1, then PRESENT, or ABSENT
 * again if the write failed. A fill by the agent is FILLING with writers = 0. Nobody else changes a FILLING word.
 *
 * Fill against truncate and unlink (rule 15): the agent sets FILLING, then checks phase LIVE, incarnation and
 * lazy_blocks; the truncating process sets its phase, then looks for FILLING words and waits for them. All accesses
 * are sequentially consistent, so one of the two sees the other.
 */
#ifndef EBB_ARENA_H
#define EBB_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EBB_ARENA_MAGIC UINT64_C(0x414E455241424245) /* "EBBARENA" */
#define EBB_ARENA_VERSION 4u
#define EBB_BLOCK_SIZE 8192u
#define EBB_WORDS_PER_ENTRY 131072u
#define EBB_CHUNK_BLOCKS 1024u
#define EBB_HEADER_BYTES 4096u
#define EBB_PAGE_BYTES 4096u
#define EBB_ENTRIES_PER_PAGE 64u /* of the new table */
#define EBB_MAX_NEW_CAPACITY 65536u

enum ebb_stat
{
	EBB_STAT_ABSENT_READS,     /* reads that found an absent block */
	EBB_STAT_REQUESTS,         /* requests sent to the agent */
	EBB_STAT_WAIT_NANOS,       /* time spent waiting for the agent */
	EBB_STAT_WRITER_FILLS,     /* absent blocks overwritten whole, without a fetch */
	EBB_STAT_READ_RETRIES,     /* reads repeated because the block changed under them */
	EBB_STAT_MATERIALISED,     /* files made on the local disk by the shim */
	EBB_STAT_ERRORS,           /* operations failed closed with EIO */
	EBB_STAT_DURABLE_WAITS,    /* cancelled commit waits that were held */
	EBB_STAT_ADOPTED,          /* files found on disk that nobody had recorded */
	EBB_STAT_HINTS,            /* hints sent to the agent */
	EBB_STAT_DAMAGED,          /* reads answered with an impossible page, or EIO, because stored bytes are damaged */
	EBB_STAT_COUNT
};

struct ebb_header
{
	uint64_t magic;                 /* 0 */
	uint32_t version;               /* 8 */
	uint32_t block_size;            /* 12 */
	uint32_t base_count;            /* 16 */
	uint32_t new_capacity;          /* 20 */
	uint64_t base_offset;           /* 24 */
	uint64_t new_offset;            /* 32 */
	uint64_t words_offset;          /* 40 */
	uint64_t total_bytes;           /* 48 */
	uint64_t generation;            /* 56 */
	uint32_t first_new_incarnation; /* 64 */
	uint32_t next_incarnation;      /* 68, atomic */
	uint32_t new_count;             /* 72, atomic: slots of the new table that are not empty */
	uint32_t insert_lock;           /* 76, atomic: 0 or the pid that inserts */
	uint32_t postmaster_pid;        /* 80 */
	uint32_t flags;                 /* 84, atomic: EBB_FLAG_* */
	uint64_t appended;              /* 88, atomic: blocks by which files were extended */
	uint64_t stats[EBB_STAT_COUNT]; /* 96, atomic */
	uint64_t table_backed[16];      /* 184, atomic: bit n set = page n of the new table is allocated */
};

#define EBB_FLAG_CLOSED 1u /* the agent has given this compute up: every miss fails at once */
#define EBB_FLAG_EVICTS 2u /* some block may have been evicted since the start */

enum ebb_kind
{
	/* The codes of dev.ebb.shared.page.FileKey.Kind. */
	EBB_RELATION = 0,
	EBB_XACT = 1,
	EBB_MULTIXACT_OFFSETS = 2,
	EBB_MULTIXACT_MEMBERS = 3,
	EBB_COMMIT_TS = 4
};

struct ebb_key
{
	uint32_t kind;
	uint32_t database; /* 0: global/, or an SLRU */
	uint32_t relation;
	uint32_t fork; /* 0 main, 1 fsm, 2 vm, 3 init */
	uint32_t segment;
};

enum ebb_phase
{
	EBB_VIRTUAL = 0,
	EBB_MATERIALISING = 1,
	EBB_LIVE = 2,
	EBB_UNLINKING = 3,
	EBB_UNLINKED = 4,
	EBB_CREATING = 5,
	EBB_TRUNCATING = 6
};

#define EBB_PHASE_MASK 0xffu
#define EBB_SIZE_CHANGED 0x100u
#define EBB_PINNED 0x200u /* no block of it may be evicted */

#define EBB_SLOT_EMPTY 0u
#define EBB_SLOT_USED 1u /* published after its key */

#define EBB_NO_KIND UINT32_MAX /* the kind of an entry that has no key any more */

struct ebb_entry
{
	struct ebb_key key;        /* 0 */
	uint32_t backed_blocks;    /* 20, atomic, never falls: the words below are allocated; at least lazy_blocks if LIVE */
	uint32_t incarnation;      /* 24, atomic */
	uint32_t base_blocks;      /* 28 */
	uint32_t state;            /* 32, atomic */
	uint32_t slot;             /* 36, atomic */
	uint32_t lazy_blocks;      /* 40, atomic */
	uint32_t size_blocks;      /* 44, atomic */
	uint64_t dirty_chunks[2];  /* 48, atomic */
};

#define EBB_UNTOUCHED 0u
#define EBB_FILLING 1u
#define EBB_PRESENT 2u
#define EBB_ABSENT 3u
#define EBB_STATE_MASK 3u
#define EBB_DIRTY 4u
#define EBB_CAPTURING 8u
#define EBB_WRITER 0x10u
#define EBB_WRITERS_MASK 0x70u
#define EBB_ACCESSED 0x80u
#define EBB_VERSION 0x100u

_Static_assert(offsetof(struct ebb_header, stats) == 96, "header layout");
_Static_assert(offsetof(struct ebb_header, table_backed) == 184, "header layout");
_Static_assert(EBB_PAGE_BYTES == EBB_CHUNK_BLOCKS * sizeof(uint32_t), "a chunk's words are a page");
_Static_assert(sizeof(struct ebb_header) <= EBB_HEADER_BYTES, "header size");
_Static_assert(sizeof(struct ebb_entry) == 64, "entry layout");

#define ebb_load(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define ebb_store(p, v) __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)
#define ebb_add(p, v) __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
#define ebb_or(p, v) __atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST)

static inline bool
ebb_cas(uint32_t *p, uint32_t expected, uint32_t desired)
{
	return __atomic_compare_exchange_n(p, &expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

#endif
