/* Which paths the block map tracks. Names as in PostgreSQL's common/relpath.c and access/transam/slru.c. */
#define _GNU_SOURCE
#include "shim.h"

#include <stdio.h>
#include <string.h>

char ebb_datadir[4096];

static const struct
{
	const char *name;
	enum ebb_kind kind;
} slru_directories[] = {
	{"pg_xact", EBB_XACT},
	{"pg_multixact/offsets", EBB_MULTIXACT_OFFSETS},
	{"pg_multixact/members", EBB_MULTIXACT_MEMBERS},
	{"pg_commit_ts", EBB_COMMIT_TS},
};

#define SLRU_DIRECTORIES (sizeof(slru_directories) / sizeof(slru_directories[0]))

/* The path below the data directory, or NULL. PostgreSQL's processes run with the data directory as cwd. */
static const char *
below_datadir(const char *path)
{
	if (path[0] == '/')
	{
		size_t length = strlen(ebb_datadir);
		if (length == 0 || strncmp(path, ebb_datadir, length) != 0 || path[length] != '/')
			return NULL;
		path += length;
		while (*path == '/')
			path++;
	}
	while (path[0] == '.' && path[1] == '/')
	{
		path += 2;
		while (*path == '/')
			path++;
	}
	return path;
}

/* A decimal number without leading zeroes that fits 32 bits; advances past it. */
static bool
number(const char **at, uint32_t *value)
{
	const char *s = *at;
	uint64_t n = 0;
	if (*s < '1' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++)
	{
		n = n * 10 + (uint64_t) (*s - '0');
		if (n > UINT32_MAX)
			return false;
	}
	*value = (uint32_t) n;
	*at = s;
	return true;
}

static bool
relation_name(const char *s, struct ebb_key *key)
{
	key->fork = 0;
	key->segment = 0;
	if (!number(&s, &key->relation))
		return false;
	if (*s == '_')
	{
		if (strncmp(s, "_fsm", 4) == 0)
			key->fork = 1, s += 4;
		else if (strncmp(s, "_vm", 3) == 0)
			key->fork = 2, s += 3;
		else if (strncmp(s, "_init", 5) == 0)
			key->fork = 3, s += 5;
		else
			return false;
	}
	if (*s == '.')
	{
		s++;
		if (!number(&s, &key->segment))
			return false;
	}
	return *s == '\0';
}

static bool
slru_name(const char *s, struct ebb_key *key)
{
	size_t length = strlen(s);
	uint64_t n = 0;
	if (length < 4 || length > 8 || (length > 4 && s[0] == '0'))
		return false;
	for (; *s != '\0'; s++)
	{
		if (*s >= '0' && *s <= '9')
			n = n * 16 + (uint64_t) (*s - '0');
		else if (*s >= 'A' && *s <= 'F')
			n = n * 16 + (uint64_t) (*s - 'A' + 10);
		else
			return false;
	}
	key->segment = (uint32_t) n;
	return true;
}

bool
ebb_parse_name(const char *name, const struct ebb_key *directory, struct ebb_key *key)
{
	*key = *directory;
	return directory->kind == EBB_RELATION ? relation_name(name, key) : slru_name(name, key);
}

/* Reads a tracked directory from the start of the path; what follows it (NULL if none) is left in rest. */
static bool
directory_prefix(const char *path, struct ebb_key *directory, const char **rest)
{
	memset(directory, 0, sizeof *directory);
	const char *s;
	if (strncmp(path, "base/", 5) == 0)
	{
		s = path + 5;
		directory->kind = EBB_RELATION;
		if (!number(&s, &directory->database))
			return false;
		*rest = s;
		return true;
	}
	if (strncmp(path, "global", 6) == 0)
	{
		directory->kind = EBB_RELATION;
		*rest = path + 6;
		return true;
	}
	if (strncmp(path, "pg_", 3) != 0)
		return false;
	for (size_t i = 0; i < SLRU_DIRECTORIES; i++)
	{
		size_t length = strlen(slru_directories[i].name);
		if (strncmp(path, slru_directories[i].name, length) == 0)
		{
			directory->kind = slru_directories[i].kind;
			*rest = path + length;
			return true;
		}
	}
	return false;
}

bool
ebb_parse_path(const char *path, struct ebb_key *key)
{
	struct ebb_key directory;
	const char *rest;
	if (path == NULL || (path = below_datadir(path)) == NULL || !directory_prefix(path, &directory, &rest))
		return false;
	if (*rest != '/')
		return false;
	while (*rest == '/')
		rest++;
	return ebb_parse_name(rest, &directory, key);
}

bool
ebb_parse_directory(const char *path, struct ebb_key *directory)
{
	const char *rest;
	if (path == NULL || (path = below_datadir(path)) == NULL || !directory_prefix(path, directory, &rest))
		return false;
	while (*rest == '/')
		rest++;
	return *rest == '\0';
}

void
ebb_format_name(const struct ebb_key *key, char *buffer, size_t size)
{
	static const char *const forks[] = {"", "_fsm", "_vm", "_init"};
	if (key->kind != EBB_RELATION)
		snprintf(buffer, size, "%04X", key->segment);
	else if (key->segment == 0)
		snprintf(buffer, size, "%u%s", key->relation, forks[key->fork & 3]);
	else
		snprintf(buffer, size, "%u%s.%u", key->relation, forks[key->fork & 3], key->segment);
}
