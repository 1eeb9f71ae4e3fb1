/*
 * A process that makes and drops files without end, as a session that makes and drops tables does, under the page
 * shim, and checks what it reads:
 *
 *   arena_churn DIRECTORY PROCESS PROCESSES NAMES LIVE SEED
 *
 * Makes NAMES files in DIRECTORY, of names that are this process's alone, of which at most LIVE exist at a time; now
 * and then a dropped name again. Descriptors of dropped files are kept for a while: what they read is their own file,
 * whatever has come in its place. Prints what is wrong and exits 1; leaves the last files.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 8192u
#define MOST_BLOCKS 4u
#define MOST_LIVE 64u

struct file
{
	uint32_t name; /* 0: none */
	uint32_t sequence;
	uint32_t blocks;
	int fd;
};

static const char *directory;
static uint64_t seed;
static struct file live[MOST_LIVE];
static struct file ghosts[MOST_LIVE];

static uint32_t
dice(uint32_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t) (seed >> 33) % n;
}

static void
die(const char *what, const struct file *file)
{
	printf("%s: file %u of %u blocks, sequence %u: %s\n", what, file->name, file->blocks, file->sequence,
	       strerror(errno));
	exit(1);
}

static const char *
path_of(const struct file *file)
{
	static char path[256];
	snprintf(path, sizeof path, "%s/%u", directory, file->name);
	return path;
}

static void
compose(char *page, const struct file *file, uint32_t block)
{
	uint32_t *words = (uint32_t *) page;
	for (uint32_t i = 0; i < BLOCK / 4; i += 4)
	{
		words[i] = file->name;
		words[i + 1] = file->sequence;
		words[i + 2] = block + 1;
		words[i + 3] = i;
	}
}

static void
fill(const struct file *file, uint32_t first)
{
	static char pages[MOST_BLOCKS * BLOCK];
	for (uint32_t block = first; block < file->blocks; block++)
		compose(pages + (block - first) * BLOCK, file, block);
	size_t bytes = (file->blocks - first) * BLOCK;
	if (pwrite(file->fd, pages, bytes, (off_t) first * BLOCK) != (ssize_t) bytes)
		die("cannot write", file);
}

static void
verify(const char *what, const struct file *file, int fd)
{
	static char expected[BLOCK];
	static char found[(MOST_BLOCKS + 1) * BLOCK];
	ssize_t n = pread(fd, found, sizeof found, 0);
	if (n != (ssize_t) (file->blocks * BLOCK))
	{
		printf("read %zd bytes; ", n);
		die(what, file);
	}
	for (uint32_t block = 0; block < file->blocks; block++)
	{
		compose(expected, file, block);
		if (memcmp(expected, found + block * BLOCK, BLOCK) != 0)
		{
			const uint32_t *words = (const uint32_t *) (found + block * BLOCK);
			printf("block %u holds file %u, sequence %u, block %u; ", block, words[0], words[1], words[2]);
			die(what, file);
		}
	}
}

static void
make(struct file *file, uint32_t name)
{
	static uint32_t sequence;
	*file = (struct file) {.name = name, .sequence = ++sequence, .blocks = 1 + dice(MOST_BLOCKS), .fd = -1};
	file->fd = open(path_of(file), O_RDWR | O_CREAT | O_EXCL, 0600);
	if (file->fd < 0)
		die("cannot make", file);
	if (lseek(file->fd, 0, SEEK_END) != 0)
		die("not empty", file);
	fill(file, 0);
}

static void
drop(struct file *file)
{
	struct stat status;
	struct file *ghost = &ghosts[dice(MOST_LIVE)];
	if (unlink(path_of(file)) != 0)
		die("cannot drop", file);
	if (stat(path_of(file), &status) == 0 || errno != ENOENT)
		die("still named", file);
	if (open(path_of(file), O_RDWR) >= 0 || errno != ENOENT)
		die("still there", file);
	if (ghost->name != 0)
	{
		verify("wrong content of a dropped file", ghost, ghost->fd);
		close(ghost->fd);
	}
	*ghost = *file;
	file->name = 0;
}

static void
use(struct file *file)
{
	struct stat status;
	int fd = open(path_of(file), O_RDWR);
	if (fd < 0)
		die("cannot open", file);
	if (stat(path_of(file), &status) != 0 || status.st_size != (off_t) (file->blocks * BLOCK))
		die("wrong size", file);
	verify("wrong content", file, fd);
	verify("wrong content by the old descriptor", file, file->fd);
	close(fd);
	if (dice(3) == 0 && file->blocks < MOST_BLOCKS)
	{
		file->blocks++;
		fill(file, file->blocks - 1);
	}
	else if (dice(3) == 0 && file->blocks > 1)
	{
		file->blocks--;
		if (ftruncate(file->fd, (off_t) file->blocks * BLOCK) != 0)
			die("cannot truncate", file);
	}
	else
	{
		file->sequence += 1000000;
		fill(file, 0);
	}
}

int
main(int argc, char **argv)
{
	if (argc != 7)
		return 64;
	directory = argv[1];
	uint32_t process = (uint32_t) atoi(argv[2]);
	uint32_t processes = (uint32_t) atoi(argv[3]);
	uint32_t names = (uint32_t) atoi(argv[4]);
	uint32_t most = (uint32_t) atoi(argv[5]);
	seed = (uint64_t) atoll(argv[6]);
	if (most > MOST_LIVE)
		return 64;
	for (uint32_t made = 0; made < names; made++)
	{
		struct file *file = &live[dice(most)];
		uint32_t name = 16384 + process + processes * made;
		if (file->name != 0)
		{
			uint32_t old = file->name;
			drop(file);
			if (dice(16) == 0)
				name = old;
		}
		make(file, name);
		file = &live[dice(most)];
		if (file->name != 0)
			use(file);
	}
	for (uint32_t i = 0; i < most; i++)
	{
		if (live[i].name != 0)
			use(&live[i]);
	}
	printf("made %u\n", names);
	return 0;
}
