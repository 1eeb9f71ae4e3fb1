/* The words of blocks: reading, hydrating, writing. See arena.h for the protocol. */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>

static inline bool
is_absent(uint32_t word, uint32_t block, uint32_t lazy_blocks)
{
	uint32_t state = word & EBB_STATE_MASK;
	return state == EBB_ABSENT || (state == EBB_UNTOUCHED && block < lazy_blocks);
}

static inline bool
is_ready(uint32_t word, uint32_t block, uint32_t lazy_blocks)
{
	uint32_t state = word & EBB_STATE_MASK;
	return state == EBB_PRESENT || (state == EBB_UNTOUCHED && block >= lazy_blocks);
}

static int
fail(void)
{
	ebb_count(EBB_STAT_ERRORS, 1);
	errno = EIO;
	return -1;
}

/* Words that are not backed are untouched, of blocks at or above lazy_blocks: nothing to look at. */
static inline uint32_t
backed_end(const struct ebb_entry *entry, uint32_t end)
{
	uint32_t backed = ebb_load(&entry->backed_blocks);
	return end < backed ? end : backed;
}

bool
ebb_blocks_ready(struct ebb_entry *entry, uint32_t first, uint32_t count, uint64_t *version_sum)
{
	uint32_t *words = ebb_words_of(entry);
	uint32_t lazy_blocks = ebb_load(&entry->lazy_blocks);
	uint64_t sum = 0;
	uint32_t end = backed_end(entry, first + count);
	for (uint32_t block = first; block < end; block++)
	{
		uint32_t word = ebb_load(&words[block]);
		if (!is_ready(word, block, lazy_blocks))
			return false;
		/* Once for each lap of the agent's: what is read again and again is only looked at. */
		if ((word & EBB_ACCESSED) == 0)
			ebb_or(&words[block], EBB_ACCESSED);
		sum += word / EBB_VERSION;
	}
	*version_sum = sum;
	return true;
}

/* Returns when all blocks of the range have been present at some moment since the call. */
int
ebb_hydrate_or_damaged(struct ebb_entry *entry, uint32_t incarnation, uint32_t first, uint32_t count,
                       uint32_t *damaged)
{
	const uint32_t *words = ebb_words_of(entry);
	struct ebb_wait wait;
	int64_t deadline = ebb_now_nanos() + ebb_timeout_nanos;
	ebb_count(EBB_STAT_ABSENT_READS, 1);
	ebb_wait_start(&wait);
	for (;;)
	{
		uint32_t low = UINT32_MAX;
		uint32_t high = 0;
		uint32_t lazy_blocks = ebb_load(&entry->lazy_blocks);
		if (ebb_load(&entry->incarnation) != incarnation)
			return fail();
		uint32_t end = backed_end(entry, first + count);
		for (uint32_t block = first; block < end; block++)
		{
			if (is_ready(ebb_load(&words[block]), block, lazy_blocks))
				continue;
			if (low == UINT32_MAX)
				low = block;
			high = block;
		}
		if (low == UINT32_MAX)
			return 0;
		uint32_t detail = 0;
		int status =
			ebb_agent_call(EBB_OP_HYDRATE, ebb_index_of(entry), incarnation, low, high - low + 1, deadline, &detail);
		if (status == EBB_STATUS_DAMAGED && detail >= low && detail <= high)
		{
			ebb_count(EBB_STAT_DAMAGED, 1);
			*damaged = detail;
			return EBB_DAMAGED;
		}
		if (status != EBB_STATUS_OK && status != EBB_STATUS_STALE)
			return fail();
		/* Rarely more than one round: another writer or a truncation was at one of these blocks. */
		if (wait.rounds++ > 0 && (ebb_now_nanos() > deadline || !ebb_wait_pause(&wait)))
			return fail();
	}
}

int
ebb_hydrate(struct ebb_entry *entry, uint32_t incarnation, uint32_t first, uint32_t count)
{
	uint32_t damaged;
	return ebb_hydrate_or_damaged(entry, incarnation, first, count, &damaged) == 0 ? 0 : fail();
}

bool
ebb_hint(struct ebb_entry *entry, uint32_t incarnation, uint32_t first, uint32_t count)
{
	const uint32_t *words = ebb_words_of(entry);
	uint32_t lazy_blocks = ebb_load(&entry->lazy_blocks);
	uint32_t low = UINT32_MAX;
	uint32_t high = 0;
	uint32_t end = backed_end(entry, first + count);
	for (uint32_t block = first; block < end; block++)
	{
		if (!is_absent(ebb_load(&words[block]), block, lazy_blocks))
			continue;
		if (low == UINT32_MAX)
			low = block;
		high = block;
	}
	if (low == UINT32_MAX)
		return false;
	ebb_agent_hint(ebb_index_of(entry), incarnation, low, high - low + 1);
	return true;
}

static void
note_dirty(struct ebb_entry *entry, uint32_t block)
{
	uint32_t chunk = block / EBB_CHUNK_BLOCKS;
	uint64_t bit = UINT64_C(1) << (chunk & 63);
	uint64_t *mask = &entry->dirty_chunks[chunk >> 6];
	if ((ebb_load(mask) & bit) == 0)
		ebb_or(mask, bit);
}

/* The words are backed. */
int
ebb_mark_dirty(struct ebb_entry *entry, uint32_t first, uint32_t end)
{
	uint32_t *words = ebb_words_of(entry);
	for (uint32_t block = first; block < end && block < EBB_WORDS_PER_ENTRY; block++)
	{
		struct ebb_wait wait;
		ebb_wait_start(&wait);
		for (;;)
		{
			uint32_t word = ebb_load(&words[block]);
			uint32_t next = ((word & ~EBB_STATE_MASK) | EBB_PRESENT | EBB_DIRTY) + EBB_VERSION;
			if ((word & EBB_STATE_MASK) == EBB_FILLING)
			{
				if (!ebb_wait_pause(&wait))
					return fail();
			}
			else if (ebb_cas(&words[block], word, next))
				break;
		}
		note_dirty(entry, block);
	}
	return 0;
}

/*
 * Blocks that come into the file by extending it count as dirty, holes included: they read as zeroes from now on.
 * Marked before the size rises, so that a capture that sees the new size sees them as dirty.
 */
int
ebb_note_extension(struct ebb_entry *entry, uint32_t incarnation, uint32_t end)
{
	for (;;)
	{
		if (ebb_back_words(entry, end) != 0)
			return -1;
		uint32_t size = ebb_load(&entry->size_blocks);
		/* Of another incarnation: the caller's file has been unlinked, and its size is nobody's business. */
		if (end <= size || ebb_load(&entry->incarnation) != incarnation)
			return 0;
		if (ebb_mark_dirty(entry, size, end) != 0)
			return -1;
		if (ebb_cas(&entry->size_blocks, size, end))
		{
			ebb_or(&entry->state, EBB_SIZE_CHANGED);
			__atomic_fetch_add(&ebb_header->appended, end - size, __ATOMIC_RELAXED);
			return 0;
		}
	}
}

static void
end_block(uint32_t *word_at, bool written)
{
	for (;;)
	{
		uint32_t word = ebb_load(word_at);
		uint32_t next = word - EBB_WRITER;
		if ((word & EBB_STATE_MASK) == EBB_FILLING)
		{
			if (written)
				next = (next & ~EBB_STATE_MASK) | EBB_PRESENT;
			else
				next = ((next & ~EBB_STATE_MASK) | EBB_ABSENT) & ~EBB_DIRTY;
		}
		if (ebb_cas(word_at, word, next))
			return;
	}
}

/*
 * Before a write of [offset, offset + length): each block is counted as written to and dirty. Blocks are taken in
 * ascending order, so two writers cannot wait for each other. On failure nothing is left marked as being written.
 */
int
ebb_write_begin(struct ebb_entry *entry, uint32_t incarnation, uint64_t offset, uint64_t length)
{
	uint32_t *words = ebb_words_of(entry);
	uint32_t first = (uint32_t) (offset / EBB_BLOCK_SIZE);
	uint32_t end = (uint32_t) ((offset + length + EBB_BLOCK_SIZE - 1) / EBB_BLOCK_SIZE);
	if (end > ebb_load(&entry->size_blocks) && ebb_note_extension(entry, incarnation, end) != 0)
		return -1;
	uint32_t lazy_blocks = ebb_load(&entry->lazy_blocks);
	for (uint32_t block = first; block < end; block++)
	{
		bool whole = (uint64_t) block * EBB_BLOCK_SIZE >= offset &&
			((uint64_t) block + 1) * EBB_BLOCK_SIZE <= offset + length;
		struct ebb_wait wait;
		ebb_wait_start(&wait);
		for (;;)
		{
			uint32_t word = ebb_load(&words[block]);
			bool absent = is_absent(word, block, lazy_blocks);
			bool busy = (word & EBB_STATE_MASK) == EBB_FILLING || (word & EBB_WRITERS_MASK) == EBB_WRITERS_MASK;
			if (!busy && (!absent || whole))
			{
				uint32_t next = (word & ~EBB_STATE_MASK) | (absent ? EBB_FILLING : EBB_PRESENT) | EBB_DIRTY |
					EBB_ACCESSED;
				if (!ebb_cas(&words[block], word, next + EBB_WRITER + EBB_VERSION))
					continue;
				note_dirty(entry, block);
				if (absent)
					ebb_count(EBB_STAT_WRITER_FILLS, 1);
				break;
			}
			if (busy ? !ebb_wait_pause(&wait) : ebb_hydrate(entry, incarnation, block, 1) != 0)
			{
				for (uint32_t undo = first; undo < block; undo++)
					end_block(&words[undo], false);
				return fail();
			}
		}
	}
	return 0;
}

/* After the write: `written` bytes from `offset` on are on the disk. */
void
ebb_write_end(struct ebb_entry *entry, uint64_t offset, uint64_t length, uint64_t written)
{
	uint32_t *words = ebb_words_of(entry);
	uint32_t first = (uint32_t) (offset / EBB_BLOCK_SIZE);
	uint32_t end = (uint32_t) ((offset + length + EBB_BLOCK_SIZE - 1) / EBB_BLOCK_SIZE);
	for (uint32_t block = first; block < end; block++)
	{
		uint64_t block_end = ((uint64_t) block + 1) * EBB_BLOCK_SIZE;
		if (block_end > offset + length)
			block_end = offset + length;
		end_block(&words[block], offset + written >= block_end);
	}
}

/* The caller has put the entry into a phase in which the agent starts no fill. */
int
ebb_wait_fillers(struct ebb_entry *entry, uint32_t first, uint32_t end)
{
	const uint32_t *words = ebb_words_of(entry);
	end = backed_end(entry, end);
	for (uint32_t block = first; block < end; block++)
	{
		struct ebb_wait wait;
		ebb_wait_start(&wait);
		while ((ebb_load(&words[block]) & EBB_STATE_MASK) == EBB_FILLING)
		{
			if (!ebb_wait_pause(&wait))
				return fail();
		}
	}
	return 0;
}

/* Blocks that a truncation or an unlink has taken away are not absent any more: there is nothing to fetch. */
void
ebb_forget_absent(struct ebb_entry *entry, uint32_t first, uint32_t end)
{
	uint32_t *words = ebb_words_of(entry);
	end = backed_end(entry, end);
	for (uint32_t block = first; block < end; block++)
	{
		uint32_t word = ebb_load(&words[block]);
		while ((word & EBB_STATE_MASK) == EBB_ABSENT &&
		       !ebb_cas(&words[block], word, ((word & ~EBB_STATE_MASK) | EBB_PRESENT) + EBB_VERSION))
			word = ebb_load(&words[block]);
	}
}
