/* What the parts of the page shim share. Nothing here is visible outside the library. */
#ifndef EBB_SHIM_H
#define EBB_SHIM_H

#include "arena.h"

#include <sys/types.h>

/* Set once by the constructor, before any fork; NULL when the process is not a compute (EBB_ARENA not set). */
extern struct ebb_header *ebb_header;

/* arena.c */
bool ebb_arena_map(const char *path, char *error, size_t error_size);
struct ebb_entry *ebb_entry_at(uint32_t index);
uint32_t ebb_index_of(const struct ebb_entry *entry);
uint32_t *ebb_words_of(const struct ebb_entry *entry);
struct ebb_entry *ebb_find_base(const struct ebb_key *key);
struct ebb_entry *ebb_find(const struct ebb_key *key);
struct ebb_entry *ebb_insert(const struct ebb_key *key);
bool ebb_has_key(const struct ebb_entry *entry, const struct ebb_key *key);
/* Whether it had this key and this incarnation, at one moment since the incarnation was read from it. */
bool ebb_is(const struct ebb_entry *entry, const struct ebb_key *key, uint32_t incarnation);
bool ebb_move(struct ebb_entry *entry, enum ebb_phase from, enum ebb_phase to);
/* Makes sure that the words of the blocks below `end` may be touched; -1 with errno, ENOSPC as a rule. */
int ebb_back_words(struct ebb_entry *entry, uint32_t end);
void ebb_base_range(const struct ebb_key *directory, uint32_t *low, uint32_t *high);
uint32_t ebb_next_incarnation(void);
void ebb_count(enum ebb_stat stat, uint64_t n);

/* Bounded waiting. */
struct ebb_wait
{
	int64_t deadline_nanos;
	unsigned rounds;
};
extern int64_t ebb_timeout_nanos;
int64_t ebb_now_nanos(void);
void ebb_wait_start(struct ebb_wait *wait);
/* Pauses a little longer each time; false once the bound has passed. */
bool ebb_wait_pause(struct ebb_wait *wait);

/* blocks.c: every one returns 0, or -1 with errno = EIO after the bound or a refusal. */
/* Whether all are present; then they count as accessed. */
bool ebb_blocks_ready(struct ebb_entry *entry, uint32_t first, uint32_t count, uint64_t *version_sum);
int ebb_hydrate(struct ebb_entry *entry, uint32_t incarnation, uint32_t first, uint32_t count);
/* As ebb_hydrate, but EBB_DAMAGED where a block's stored bytes are not what was written: *damaged is the first such. */
#define EBB_DAMAGED 1
int ebb_hydrate_or_damaged(struct ebb_entry *entry, uint32_t incarnation, uint32_t first, uint32_t count,
                           uint32_t *damaged);
/* Asks for blocks that are going to be read soon; waits for nothing. False where all of them are there already. */
bool ebb_hint(struct ebb_entry *entry, uint32_t incarnation, uint32_t first, uint32_t count);
int ebb_write_begin(struct ebb_entry *entry, uint32_t incarnation, uint64_t offset, uint64_t length);
void ebb_write_end(struct ebb_entry *entry, uint64_t offset, uint64_t length, uint64_t written);
int ebb_mark_dirty(struct ebb_entry *entry, uint32_t first, uint32_t end);
int ebb_note_extension(struct ebb_entry *entry, uint32_t incarnation, uint32_t end);
int ebb_wait_fillers(struct ebb_entry *entry, uint32_t first, uint32_t end);
void ebb_forget_absent(struct ebb_entry *entry, uint32_t first, uint32_t end);

/* files.c: the life of an entry's file. */
int ebb_settled_phase(struct ebb_entry *entry);
int ebb_materialise(struct ebb_entry *entry, int dirfd, const char *path);
int ebb_open(int dirfd, const char *path, int flags, mode_t mode, const struct ebb_key *key);
int ebb_unlink(int dirfd, const char *path, const struct ebb_key *key);
/* Truncates or extends to `length`; `path` is used when fd is -1: then ESTALE says that it names another file now. */
int ebb_resize(struct ebb_entry *entry, uint32_t incarnation, int fd, const char *path, off_t length);
int ebb_hydrate_all(struct ebb_entry *entry, uint32_t incarnation);
/*
 * Makes the file visible on disk before a call that only names it. 1: go on and do the call, *entry is NULL if it is
 * not tracked, and of *incarnation otherwise; -1: errno is set.
 */
int ebb_appear(int dirfd, const char *path, struct ebb_entry **entry, uint32_t *incarnation);

/* paths.c */
extern char ebb_datadir[4096];
bool ebb_parse_path(const char *path, struct ebb_key *key);
bool ebb_parse_directory(const char *path, struct ebb_key *directory);
bool ebb_parse_name(const char *name, const struct ebb_key *directory, struct ebb_key *key);
void ebb_format_name(const struct ebb_key *key, char *buffer, size_t size);

/* agent.c */
enum ebb_op
{
	EBB_OP_HYDRATE = 1,
	EBB_OP_WAIT_DURABLE = 2,
	EBB_OP_HINT = 3 /* not answered */
};
enum ebb_status
{
	EBB_STATUS_OK = 0,
	EBB_STATUS_FAILED = 1,
	EBB_STATUS_STALE = 2, /* the file changed meanwhile: look again */
	EBB_STATUS_DAMAGED = 3 /* the stored bytes of a block are not what was written: detail is the first such */
};
extern char ebb_agent_path[108];
extern int64_t ebb_durable_timeout_nanos;
/* The agent's status, or -1 when it cannot be reached or does not answer before the deadline. */
int ebb_agent_call(enum ebb_op op, uint32_t entry, uint32_t incarnation, uint32_t first, uint32_t count,
                   int64_t deadline_nanos, uint32_t *detail);
/* Sends and forgets: nothing is waited for, and a hint that cannot be sent at once is dropped. */
void ebb_agent_hint(uint32_t entry, uint32_t incarnation, uint32_t first, uint32_t count);

/* page_shim.c: descriptor -> entry. */
bool ebb_fd_set(int fd, const struct ebb_entry *entry, uint32_t incarnation);

#endif
