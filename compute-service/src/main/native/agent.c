/*
 * The connection to the compute agent: a unix stream socket, one per process, opened at the first need.
 *
 * Request, 32 bytes: op u16, version u16, entry u32, incarnation u32, first u32, count u32, seq u32, pid u32,
 * timeout in ms u32. Reply, 16 bytes: status u16, version u16, seq u32, detail u32, 4 bytes zero. Little-endian, one at
 * a time. A hint is a request without a reply.
 */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PROTOCOL_VERSION 2
/* Out of the way of PostgreSQL's own descriptors, which it numbers and counts from below. */
#define LOWEST_FD 512

char ebb_agent_path[108];
int64_t ebb_durable_timeout_nanos = INT64_C(30000000000);

struct request
{
	uint16_t op;
	uint16_t version;
	uint32_t entry;
	uint32_t incarnation;
	uint32_t first;
	uint32_t count;
	uint32_t seq;
	uint32_t pid;
	uint32_t timeout_ms;
};

struct reply
{
	uint16_t status;
	uint16_t version;
	uint32_t seq;
	uint32_t detail;
	uint32_t reserved;
};

_Static_assert(sizeof(struct request) == 32, "request layout");
_Static_assert(sizeof(struct reply) == 16, "reply layout");

static int agent_fd = -1;
static pid_t agent_pid; /* the process that opened agent_fd: a forked child must not use it */
static uint32_t next_seq;

static int
timeout_ms(int64_t deadline_nanos)
{
	int64_t left = (deadline_nanos - ebb_now_nanos() + 999999) / 1000000;
	return left <= 0 ? 0 : left > 1000000000 ? 1000000000 : (int) left;
}

static void
disconnect(void)
{
	if (agent_fd >= 0)
		syscall(SYS_close, agent_fd);
	agent_fd = -1;
}

static bool
wait_for(short events, int64_t deadline_nanos)
{
	for (;;)
	{
		struct pollfd poll_fd = {.fd = agent_fd, .events = events};
		int ready = poll(&poll_fd, 1, timeout_ms(deadline_nanos));
		if (ready > 0)
			return true;
		if (ready == 0 || errno != EINTR)
			return false;
	}
}

static bool
connect_agent(int64_t deadline_nanos)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (agent_fd >= 0 && agent_pid == getpid())
		return true;
	disconnect();
	if (ebb_agent_path[0] == '\0')
		return false;
	memcpy(address.sun_path, ebb_agent_path, sizeof address.sun_path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	int high = fcntl(fd, F_DUPFD_CLOEXEC, LOWEST_FD);
	if (high >= 0)
	{
		syscall(SYS_close, fd);
		fd = high;
	}
	while (connect(fd, (struct sockaddr *) &address, sizeof address) != 0)
	{
		/* EAGAIN: the agent's queue of connections is full. */
		struct timespec pause = {0, 1000000};
		if ((errno != EAGAIN && errno != EINTR) || ebb_now_nanos() >= deadline_nanos)
		{
			syscall(SYS_close, fd);
			return false;
		}
		nanosleep(&pause, NULL);
	}
	agent_fd = fd;
	agent_pid = getpid();
	return true;
}

/* One attempt. 1: answered; 0: the connection broke; -1: the deadline passed. */
static int
exchange(const struct request *request, struct reply *reply, int64_t deadline_nanos)
{
	size_t done = 0;
	while (done < sizeof *request)
	{
		ssize_t n = send(agent_fd, (const char *) request + done, sizeof *request - done, MSG_NOSIGNAL);
		if (n > 0)
			done += (size_t) n;
		else if (n < 0 && errno == EAGAIN)
		{
			if (!wait_for(POLLOUT, deadline_nanos))
				return -1;
		}
		else if (n == 0 || errno != EINTR)
			return 0;
	}
	done = 0;
	while (done < sizeof *reply)
	{
		ssize_t n = recv(agent_fd, (char *) reply + done, sizeof *reply - done, 0);
		if (n > 0)
			done += (size_t) n;
		else if (n < 0 && errno == EAGAIN)
		{
			if (!wait_for(POLLIN, deadline_nanos))
				return -1;
		}
		else if (n == 0 || errno != EINTR)
			return 0;
	}
	return reply->seq == request->seq && reply->version == PROTOCOL_VERSION ? 1 : 0;
}

int
ebb_agent_call(enum ebb_op op, uint32_t entry, uint32_t incarnation, uint32_t first, uint32_t count,
               int64_t deadline_nanos, uint32_t *detail)
{
	int64_t started = ebb_now_nanos();
	int result = -1;
	ebb_count(EBB_STAT_REQUESTS, 1);
	for (int attempt = 0; attempt < 2 && result < 0; attempt++)
	{
		struct reply reply = {0};
		if ((ebb_load(&ebb_header->flags) & EBB_FLAG_CLOSED) != 0 || !connect_agent(deadline_nanos))
			break;
		struct request request = {
			.op = (uint16_t) op,
			.version = PROTOCOL_VERSION,
			.entry = entry,
			.incarnation = incarnation,
			.first = first,
			.count = count,
			.seq = ++next_seq,
			.pid = (uint32_t) agent_pid,
			.timeout_ms = (uint32_t) timeout_ms(deadline_nanos),
		};
		int answered = exchange(&request, &reply, deadline_nanos);
		if (answered == 1)
		{
			result = reply.status;
			if (detail != NULL)
				*detail = reply.detail;
		}
		else
		{
			/* A late answer must never be taken for the answer to the next request. */
			disconnect();
			if (answered < 0)
				break;
		}
	}
	ebb_count(EBB_STAT_WAIT_NANOS, (uint64_t) (ebb_now_nanos() - started));
	return result;
}

void
ebb_agent_hint(uint32_t entry, uint32_t incarnation, uint32_t first, uint32_t count)
{
	/* A deadline that has passed: a connection is made if that needs no waiting. */
	if ((ebb_load(&ebb_header->flags) & EBB_FLAG_CLOSED) != 0 || !connect_agent(0))
		return;
	struct request request = {
		.op = EBB_OP_HINT,
		.version = PROTOCOL_VERSION,
		.entry = entry,
		.incarnation = incarnation,
		.first = first,
		.count = count,
		.seq = ++next_seq,
		.pid = (uint32_t) agent_pid,
	};
	ssize_t n = send(agent_fd, &request, sizeof request, MSG_NOSIGNAL | MSG_DONTWAIT);
	/* A part of a request must not stay in front of the next one. */
	if (n != (ssize_t) sizeof request && (n >= 0 || (errno != EAGAIN && errno != EINTR)))
		disconnect();
	else if (n > 0)
		ebb_count(EBB_STAT_HINTS, 1);
}
