/*
 * A process that behaves to one relation file as PostgreSQL does, under the page shim, and checks all it reads:
 *
 *   arena_stress FILE LOCKS TABLE BLOCKS ROLE SECONDS SEED
 *
 * TABLE, shared by all such processes, says what each block must hold; LOCKS stands in for PostgreSQL's buffer and
 * relation locks, so that reads and writes of one block do not overlap, as they do not in PostgreSQL. The agent,
 * which fills, evicts and captures meanwhile, knows nothing of these locks. Roles: r reads, w writes existing
 * blocks, t truncates, extends, unlinks and makes again. Prints what is wrong and exits 1.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 8192u
#define BEYOND UINT32_MAX
#define ZEROES (UINT32_MAX - 1)
#define RUN 8u

static const char *file;
static uint32_t blocks;
static int fd = -1;
static int locks;
/* [0]: how often the file was made; [1 + block]: the block's sequence number; the last: somebody wants to resize. */
static volatile uint32_t *table;
static uint32_t opened;
static uint64_t seed;

static uint32_t
dice(uint32_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t) (seed >> 33) % n;
}

static void
die(const char *what, uint32_t block, uint32_t expected, uint32_t found)
{
	printf("%s: block %u, expected %u, found %u: %s\n", what, block, expected, found, strerror(errno));
	exit(1);
}

static void
lock(short type, uint32_t first, uint32_t count)
{
	struct flock region = {.l_type = type, .l_whence = SEEK_SET, .l_start = first, .l_len = count};
	while (fcntl(locks, F_SETLKW, &region) != 0)
	{
		if (errno != EINTR)
			die("lock", first, 0, 0);
	}
}

/* Lets a process that wants the whole file go first: locks are not fair. */
static void
give_way(void)
{
	struct timespec pause = {0, 100000};
	while (table[1 + blocks] != 0)
		nanosleep(&pause, NULL);
}

static void
reopen(int flags)
{
	if (fd >= 0)
		close(fd);
	fd = open(file, O_RDWR | flags, 0600);
	if (fd < 0)
		die("open", 0, 0, 0);
	opened = table[0];
}

static void
compose(char *page, uint32_t block, uint32_t sequence)
{
	uint32_t *words = (uint32_t *) page;
	for (uint32_t i = 0; i < BLOCK / 4; i += 2)
	{
		words[i] = sequence == ZEROES ? 0 : block + 1;
		words[i + 1] = sequence == ZEROES ? 0 : sequence;
	}
}

static void
verify(const char *page, uint32_t block, uint32_t sequence)
{
	static char expected[BLOCK];
	compose(expected, block, sequence);
	if (memcmp(page, expected, BLOCK) != 0)
		die("wrong content", block, sequence, ((const uint32_t *) page)[1]);
}

static void
step_read(void)
{
	static char pages[RUN * BLOCK];
	uint32_t first = dice(blocks);
	uint32_t count = 1 + dice(RUN);
	if (first + count > blocks)
		count = blocks - first;
	give_way();
	lock(F_RDLCK, first, count);
	if (opened != table[0])
		reopen(0);
	uint32_t there = 0;
	while (there < count && table[1 + first + there] != BEYOND)
		there++;
	memset(pages, 0x5a, sizeof pages);
	struct iovec iov[2] = {{pages, BLOCK / 2}, {pages + BLOCK / 2, count * BLOCK - BLOCK / 2}};
	ssize_t n = dice(2) == 0 ? pread(fd, pages, count * BLOCK, (off_t) first * BLOCK)
	                         : preadv(fd, iov, 2, (off_t) first * BLOCK);
	if (n != (ssize_t) (there * BLOCK))
		die("wrong length", first, there * BLOCK, (uint32_t) n);
	for (uint32_t i = 0; i < there; i++)
		verify(pages + i * BLOCK, first + i, table[1 + first + i]);
	lock(F_UNLCK, first, count);
}

static void
put(uint32_t first, uint32_t count, uint32_t sequence)
{
	static char pages[RUN * BLOCK];
	for (uint32_t i = 0; i < count; i++)
		compose(pages + i * BLOCK, first + i, sequence);
	struct iovec iov[2] = {{pages, BLOCK / 4}, {pages + BLOCK / 4, count * BLOCK - BLOCK / 4}};
	ssize_t n = dice(2) == 0 ? pwrite(fd, pages, count * BLOCK, (off_t) first * BLOCK)
	                         : pwritev(fd, iov, 2, (off_t) first * BLOCK);
	if (n != (ssize_t) (count * BLOCK))
		die("wrong write", first, count * BLOCK, (uint32_t) n);
	for (uint32_t i = 0; i < count; i++)
		table[1 + first + i] = sequence;
}

static void
step_write(void)
{
	uint32_t first = dice(blocks);
	uint32_t count = 1 + dice(RUN);
	if (first + count > blocks)
		count = blocks - first;
	give_way();
	lock(F_WRLCK, first, count);
	if (opened != table[0])
		reopen(0);
	uint32_t there = 0;
	while (there < count && table[1 + first + there] != BEYOND)
		there++;
	if (there > 0 && dice(8) == 0)
	{
		/* A part of a block: what is around it must be kept, so the whole block is what it was. */
		static char page[BLOCK];
		compose(page, first, table[1 + first]);
		if (pwrite(fd, page + 1024, 512, (off_t) first * BLOCK + 1024) != 512)
			die("wrong partial write", first, 512, 0);
	}
	else if (there > 0)
		put(first, there, 1 + dice(1000000));
	lock(F_UNLCK, first, count);
}

static void
step_resize(void)
{
	struct timespec pause = {0, 2000000};
	table[1 + blocks] = 1;
	lock(F_WRLCK, 0, blocks);
	if (opened != table[0])
		reopen(0);
	uint32_t size = 0;
	while (size < blocks && table[1 + size] != BEYOND)
		size++;
	uint32_t kind = dice(40);
	if (kind == 0)
	{
		if (unlink(file) != 0)
			die("unlink", 0, 0, 0);
		if (access(file, F_OK) == 0 || errno != ENOENT)
			die("still there", 0, 0, 0);
		for (uint32_t block = 0; block < blocks; block++)
			table[1 + block] = BEYOND;
		reopen(O_CREAT | O_EXCL);
		opened = ++table[0];
	}
	else if (kind < 12)
	{
		uint32_t keep = size / 2 + dice(size / 2 + 1);
		int rc = kind < 8 ? ftruncate(fd, (off_t) keep * BLOCK) : truncate(file, (off_t) keep * BLOCK);
		if (rc != 0)
			die("truncate", keep, 0, 0);
		for (uint32_t block = keep; block < blocks; block++)
			table[1 + block] = BEYOND;
	}
	else if (size < blocks)
	{
		uint32_t gap = dice(4);
		uint32_t room = blocks - size;
		uint32_t start = size + (gap < room ? gap : 0);
		uint32_t count = 1 + dice(RUN);
		if (start + count > blocks)
			count = blocks - start;
		for (uint32_t block = size; block < start + count; block++)
			table[1 + block] = ZEROES;
		if (kind < 20)
		{
			if (ftruncate(fd, (off_t) (start + count) * BLOCK) != 0)
				die("extend", start, 0, 0);
		}
		else if (kind < 26)
		{
			int error = posix_fallocate(fd, (off_t) size * BLOCK, (off_t) (start + count - size) * BLOCK);
			if (error != 0)
				die("allocate", start, 0, (uint32_t) error);
		}
		else
			put(start, count, 1 + dice(1000000));
	}
	table[1 + blocks] = 0;
	lock(F_UNLCK, 0, blocks);
	nanosleep(&pause, NULL);
}

int
main(int argc, char **argv)
{
	if (argc != 8)
		return 64;
	file = argv[1];
	locks = open(argv[2], O_RDWR);
	int table_fd = open(argv[3], O_RDWR);
	blocks = (uint32_t) atoi(argv[4]);
	char role = argv[5][0];
	int seconds = atoi(argv[6]);
	seed = (uint64_t) atoll(argv[7]);
	void *shared = mmap(NULL, 4 * (blocks + 2), PROT_READ | PROT_WRITE, MAP_SHARED, table_fd, 0);
	if (locks < 0 || table_fd < 0 || shared == MAP_FAILED)
		die("start", 0, 0, 0);
	table = shared;
	lock(F_RDLCK, 0, blocks);
	reopen(0);
	lock(F_UNLCK, 0, blocks);
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	time_t end = now.tv_sec + seconds;
	long steps = 0;
	for (; now.tv_sec < end; steps++, clock_gettime(CLOCK_MONOTONIC, &now))
	{
		if (role == 'r')
			step_read();
		else if (role == 'w')
			step_write();
		else
			step_resize();
	}
	printf("steps %ld\n", steps);
	return 0;
}
