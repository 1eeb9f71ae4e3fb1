/*
 * Starts one postgres for the compute agent and makes sure that nothing of it outlives the agent or its lease.
 *
 *   ebb-supervise [--uid N --gid N] [--lease-seconds N] [--address-space-bytes N] [--open-files N]
 *                 [--preload LIBRARY] [--datadir DIR] [--stop-seconds N] -- PROGRAM ARGUMENTS...
 *
 * stdin is the lifeline: the agent writes a byte now and then, at least one each --lease-seconds (0, the default: no
 * lease). End of file means that the agent is gone. In both cases the postmaster gets SIGQUIT, and after
 * --stop-seconds (default 3) all its processes SIGKILL. stdout gets "pid N\n" and is then closed to postgres, whose
 * stdout and stderr are the inherited stderr. SIGTERM, SIGINT, SIGQUIT and SIGHUP go on to the postmaster (smart,
 * fast and immediate stop; reload).
 *
 * LD_PRELOAD is set for PROGRAM alone, through --preload. PROGRAM runs in DIR when --datadir is given, in a process
 * group of its own, and gets SIGQUIT if this process dies. When it has ended in any way but a clean exit, whatever
 * descends from it is killed and the System V segment that postmaster.pid names is removed. Exit: as
 * PROGRAM did, by status or by the same signal; 64 for a bad command line, 71 if it could not be started.
 *
 * This process stays root when started by root (the group's members run as --uid), so that it can always kill them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct options
{
	long uid;
	long gid;
	long lease_seconds;
	long stop_seconds;
	long long address_space_bytes;
	long long open_files;
	const char *preload;
	const char *datadir;
	char **program;
};

static int
usage(const char *problem)
{
	fprintf(stderr, "ebb-supervise: %s\n", problem);
	return 64;
}

static bool
parse_number(const char *text, long long *value)
{
	char *end;
	errno = 0;
	*value = strtoll(text, &end, 10);
	return errno == 0 && *text != '\0' && *end == '\0' && *value >= 0;
}

static int
parse(int argc, char **argv, struct options *options)
{
	*options = (struct options) {.uid = -1, .gid = -1, .stop_seconds = 3};
	for (int i = 1; i < argc; i += 2)
	{
		long long n = 0;
		if (strcmp(argv[i], "--") == 0)
		{
			options->program = argv + i + 1;
			return options->program[0] == NULL ? usage("no program after --") : 0;
		}
		if (i + 1 >= argc)
			return usage("an option has no value");
		const char *name = argv[i];
		const char *value = argv[i + 1];
		if (strcmp(name, "--preload") == 0)
			options->preload = value;
		else if (strcmp(name, "--datadir") == 0)
			options->datadir = value;
		else if (!parse_number(value, &n))
			return usage("an option has a bad number");
		else if (strcmp(name, "--uid") == 0)
			options->uid = (long) n;
		else if (strcmp(name, "--gid") == 0)
			options->gid = (long) n;
		else if (strcmp(name, "--lease-seconds") == 0)
			options->lease_seconds = (long) n;
		else if (strcmp(name, "--stop-seconds") == 0)
			options->stop_seconds = (long) n;
		else if (strcmp(name, "--address-space-bytes") == 0)
			options->address_space_bytes = n;
		else if (strcmp(name, "--open-files") == 0)
			options->open_files = n;
		else
			return usage("unknown option");
	}
	return usage("no -- before the program");
}

static void
child_fail(const char *what)
{
	dprintf(2, "ebb-supervise: %s: %s\n", what, strerror(errno));
	_exit(71);
}

static void
run_child(const struct options *options, pid_t supervisor, const sigset_t *old_mask)
{
	struct rlimit limit;
	if (setpgid(0, 0) != 0)
		child_fail("setpgid");
	if (options->address_space_bytes > 0)
	{
		limit.rlim_cur = limit.rlim_max = (rlim_t) options->address_space_bytes;
		if (setrlimit(RLIMIT_AS, &limit) != 0)
			child_fail("RLIMIT_AS");
	}
	if (options->open_files > 0)
	{
		limit.rlim_cur = limit.rlim_max = (rlim_t) options->open_files;
		if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
			child_fail("RLIMIT_NOFILE");
	}
	limit.rlim_cur = limit.rlim_max = 0;
	setrlimit(RLIMIT_CORE, &limit);
	if (options->gid >= 0 && (setgroups(0, NULL) != 0 || setgid((gid_t) options->gid) != 0))
		child_fail("setgid");
	if (options->uid >= 0 && setuid((uid_t) options->uid) != 0)
		child_fail("setuid");
	/* After setuid, which clears it. Then: was the supervisor gone already? */
	if (prctl(PR_SET_PDEATHSIG, SIGQUIT, 0, 0, 0) != 0)
		child_fail("PR_SET_PDEATHSIG");
	if (getppid() != supervisor)
		_exit(71);
	if (options->datadir != NULL && chdir(options->datadir) != 0)
		child_fail("chdir to the data directory");
	if (options->preload != NULL && setenv("LD_PRELOAD", options->preload, 1) != 0)
		child_fail("setenv");
	int null = open("/dev/null", O_RDONLY);
	if (null < 0 || dup2(null, 0) < 0 || dup2(2, 1) < 0)
		child_fail("redirecting");
	if (null > 2)
		close(null);
	sigprocmask(SIG_SETMASK, old_mask, NULL);
	execv(options->program[0], options->program);
	child_fail("exec");
}

static int64_t
now_millis(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The segment that a dead postmaster left: line 7 of postmaster.pid holds its key and id (miscinit.c). */
static void
remove_shared_memory(const char *datadir, pid_t postmaster)
{
	char line[1024];
	unsigned long key;
	int id;
	if (datadir != NULL && chdir(datadir) != 0)
		return;
	FILE *file = fopen("postmaster.pid", "r");
	if (file == NULL)
		return;
	for (int number = 1; fgets(line, sizeof line, file) != NULL; number++)
	{
		if (number == 1 && strtol(line, NULL, 10) != (long) postmaster)
			break; /* not ours */
		if (number == 7 && sscanf(line, "%lu %d", &key, &id) == 2)
		{
			struct shmid_ds status;
			/* Its key must be the one noted: ids are used again. */
			if (shmctl(id, IPC_STAT, &status) == 0 && (unsigned long) status.shm_perm.__key == key)
				shmctl(id, IPC_RMID, NULL);
		}
	}
	fclose(file);
}

/*
 * Kills everything that descends from the postmaster and waits, bounded, until it is gone. Each PostgreSQL process
 * makes itself a session of its own, so the group alone does not reach them; as subreaper this process is the parent
 * of all that the postmaster left behind.
 */
static void
kill_descendants(pid_t group)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/self/task/%ld/children", (long) getpid());
	for (int i = 0; i < 2000; i++)
	{
		struct timespec pause = {0, 1000000};
		long pid;
		kill(-group, SIGKILL);
		FILE *children = fopen(path, "r");
		if (children != NULL)
		{
			while (fscanf(children, "%ld", &pid) == 1)
				kill((pid_t) pid, SIGKILL);
			fclose(children);
		}
		pid_t ended;
		while ((ended = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (ended < 0 && errno == ECHILD)
			return;
		nanosleep(&pause, NULL);
	}
}

int
main(int argc, char **argv)
{
	struct options options;
	int bad = parse(argc, argv, &options);
	if (bad != 0)
		return bad;

	sigset_t mask;
	sigset_t old_mask;
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGQUIT);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, &old_mask);
	signal(SIGPIPE, SIG_IGN);
	int signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0)
		return usage("signalfd failed");
	setsid(); /* fails harmlessly if already a group's leader */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);

	pid_t supervisor = getpid();
	pid_t child = fork();
	if (child < 0)
	{
		fprintf(stderr, "ebb-supervise: fork: %s\n", strerror(errno));
		return 71;
	}
	if (child == 0)
	{
		signal(SIGPIPE, SIG_DFL);
		run_child(&options, supervisor, &old_mask);
	}
	setpgid(child, child);
	dprintf(1, "pid %ld\n", (long) child);
	close(1);

	fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
	bool lifeline = true;
	bool stopping = false;
	bool killed = false;
	int status = 0;
	int64_t deadline = options.lease_seconds > 0 ? now_millis() + options.lease_seconds * 1000 : INT64_MAX;
	for (;;)
	{
		struct pollfd polled[2] = {{.fd = signals, .events = POLLIN}, {.fd = lifeline ? 0 : -1, .events = POLLIN}};
		int64_t left = deadline == INT64_MAX ? 60000 : deadline - now_millis();
		int ready = poll(polled, 2, left < 0 ? 0 : left > 60000 ? 60000 : (int) left);
		if (ready < 0 && errno != EINTR)
			break;
		if (ready > 0 && polled[0].revents != 0)
		{
			struct signalfd_siginfo info;
			while (read(signals, &info, sizeof info) == (ssize_t) sizeof info)
			{
				if (info.ssi_signo != SIGCHLD)
					kill(child, (int) info.ssi_signo);
			}
		}
		if (waitpid(child, &status, WNOHANG) == child)
			break;
		if (ready > 0 && polled[1].revents != 0)
		{
			char beats[256];
			ssize_t n;
			bool beat = false;
			while ((n = read(0, beats, sizeof beats)) > 0)
				beat = true;
			if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			{
				lifeline = false;
				deadline = stopping ? deadline : 0;
			}
			else if (beat && !stopping && options.lease_seconds > 0)
				deadline = now_millis() + options.lease_seconds * 1000;
		}
		if (now_millis() < deadline)
			continue;
		if (!stopping)
		{
			stopping = true;
			kill(child, SIGQUIT);
			deadline = now_millis() + options.stop_seconds * 1000;
		}
		else
		{
			killed = true;
			kill(-child, SIGKILL);
			kill(child, SIGKILL);
			deadline = INT64_MAX;
		}
	}
	bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0 && !killed;
	if (!clean)
	{
		kill_descendants(child);
		remove_shared_memory(options.datadir, child);
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	signal(WTERMSIG(status), SIG_DFL);
	sigset_t raised;
	sigemptyset(&raised);
	sigaddset(&raised, WTERMSIG(status));
	struct rlimit no_core = {0, 0};
	setrlimit(RLIMIT_CORE, &no_core);
	sigprocmask(SIG_UNBLOCK, &raised, NULL);
	kill(getpid(), WTERMSIG(status));
	return 128 + WTERMSIG(status);
}
