package dev.ebb.computeservice.postgres;

import dev.ebb.shared.model.PostgresMajor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The settings of one compute, passed as {@code -c} arguments because those outrank everything that
 * a user can write ({@code postgresql.auto.conf}, {@code ALTER DATABASE} for what is set at start).
 *
 * @param postgres the major version: some settings are newer than others
 * @param size how large it may be
 * @param host where it listens, a loopback address by default
 * @param port its TCP port, also in the name of its unix socket
 * @param socketDirectory a directory of mode 0700 that only the OS user enters, with a short path
 * @param hbaFile written by {@link HbaFile}
 * @param identFile an empty file
 * @param kind whether it is a branch's primary or a replica of it
 * @param tls null where nobody is offered TLS
 */
public record PostgresSettings(
    PostgresMajor postgres,
    ComputeSize size,
    String host,
    int port,
    Path socketDirectory,
    Path hbaFile,
    Path identFile,
    Kind kind,
    @Nullable PostgresTls tls) {

  /** One that is spoken to in the clear. */
  public PostgresSettings(
      PostgresMajor postgres,
      ComputeSize size,
      String host,
      int port,
      Path socketDirectory,
      Path hbaFile,
      Path identFile,
      Kind kind) {
    this(postgres, size, host, port, socketDirectory, hbaFile, identFile, kind, null);
  }

  /** What a compute is to its branch. */
  public sealed interface Kind {
    /**
     * Writes the branch.
     *
     * @param standbyName the name that wal-service's receiver carries; unguessable
     */
    record Primary(String standbyName) implements Kind {
      private static final Pattern STANDBY_NAME = Pattern.compile("[A-Za-z0-9_]{1,63}");

      public Primary {
        if (!STANDBY_NAME.matcher(standbyName).matches()) {
          throw new IllegalArgumentException("a standby's name has 1 to 63 letters, digits and _");
        }
      }
    }

    /**
     * A hot standby.
     *
     * @param configFile written by {@link ReplicaFiles}: what can change while it runs
     * @param leastConnections a standby with fewer than its primary had does not start
     */
    record Replica(Path configFile, int leastConnections) implements Kind {}
  }

  /** Sessions that only superusers, which is Ebb itself, may open. */
  public static final int RESERVED_CONNECTIONS = 5;

  /** {@code sun_path} has 108 bytes, a trailing zero among them. */
  private static final int MAX_SOCKET_PATH_BYTES = 107;

  public PostgresSettings {
    if (port < 1 || port > 65_535) {
      throw new IllegalArgumentException("not a port: " + port);
    }
    if (socketPath(socketDirectory, port).toString().length() > MAX_SOCKET_PATH_BYTES) {
      throw new IllegalArgumentException(
          "the path of the unix socket is longer than "
              + MAX_SOCKET_PATH_BYTES
              + " bytes: "
              + socketDirectory);
    }
  }

  /** The unix socket that PostgreSQL makes in a directory. */
  public static Path socketPath(Path socketDirectory, int port) {
    return socketDirectory.resolve(".s.PGSQL." + port);
  }

  /** The argument list behind {@code postgres -D DIR}: {@code -c}, {@code name=value}, … */
  public List<String> arguments() {
    var arguments = new Arguments();
    durability(arguments);
    switch (kind) {
      case Kind.Primary primary -> primary(primary, arguments);
      case Kind.Replica replica -> replica(replica, arguments);
    }
    replication(arguments);
    access(arguments);
    memory(arguments);
    inputAndOutput(arguments);
    logging(arguments);
    return List.copyOf(arguments.list);
  }

  private static final class Arguments {
    private final List<String> list = new ArrayList<>();

    void set(String name, Object value) {
      list.add("-c");
      list.add(name + "=" + value);
    }
  }

  private void durability(Arguments a) {
    // The local disk is discarded after any crash: nothing on it needs to survive one.
    a.set("fsync", "off");
    // Captured pages are never torn, and recovery never sees local ones.
    a.set("full_page_writes", "off");
    // After a crash of a backend the whole compute starts again from snapshot and log.
    a.set("restart_after_crash", "off");
    // Written settings bypass the WAL, so that they would not survive a suspend.
    // Before 17 only a superuser can, or whom one allows to: Ebb is the only one.
    if (postgres.number() >= 17) {
      a.set("allow_alter_system", "off");
    }
    // New segments stay sparse: zeroing and recycling save nothing without fsync.
    a.set("wal_init_zero", "off");
    a.set("wal_recycle", "off");
  }

  private static void primary(Kind.Primary primary, Arguments a) {
    // A commit returns when the receiver says that Kafka has it.
    a.set("synchronous_commit", "on");
    // Any: of two receivers that carry the name, one of which hangs, the other one is enough. What
    // either confirms is true (replication/syncrep.c: of equal ones FIRST takes the older alone).
    a.set("synchronous_standby_names", "ANY 1 (\"" + primary.standbyName() + "\")");
    // Ebb checkpoints when it captures; those of PostgreSQL only bound the local WAL, since
    // recovery begins at a snapshot, not at them.
    a.set("checkpoint_timeout", "1h");
    a.set("max_wal_size", "1GB");
    a.set("min_wal_size", "16MB");
    // A receiver that comes back after a checkpoint still finds what Kafka lacks.
    a.set("wal_keep_size", "256MB");
  }

  private static void replica(Kind.Replica replica, Arguments a) {
    // Where its WAL comes from can change while it runs; what is given here could not.
    a.set("config_file", replica.configFile());
    a.set("synchronous_standby_names", "");
    a.set("hot_standby", "on");
    // Told to the WAL sender: what its queries still need.
    a.set("hot_standby_feedback", "on");
    // A sender that went away is looked for soon, and a silent one given up.
    a.set("wal_retrieve_retry_interval", "500ms");
    a.set("wal_receiver_timeout", "10s");
    a.set("wal_receiver_status_interval", "1s");
    // Its restartpoints let go of WAL that it replayed: it never needs it again, since a start
    // begins at a snapshot.
    a.set("checkpoint_timeout", "5min");
    a.set("max_wal_size", "128MB");
    a.set("min_wal_size", "16MB");
    a.set("wal_keep_size", 0);
    // No slots: the log keeps WAL by itself. No timeline but the first one, ever.
    a.set("recovery_target_timeline", "current");
  }

  private void replication(Arguments a) {
    a.set("wal_level", "replica");
    // The receiver's one, its successor's while the old one lingers, and some for users.
    a.set("max_wal_senders", 10);
    a.set("max_replication_slots", 10);
    // A slot's WAL is never thrown away: it may be acknowledged nowhere else yet.
    a.set("max_slot_wal_keep_size", -1);
    // A dead receiver frees its place soon; a live one answers every second.
    a.set("wal_sender_timeout", "10s");
    // A standby compares these with its primary: the same for every size of a database.
    a.set("max_connections", maxConnections());
    a.set("max_prepared_transactions", 64);
    a.set("max_worker_processes", 8);
    // A branch must not go on with its parent's subscriptions (storage rule 33), and nobody but a
    // superuser could let anybody make one.
    a.set("max_logical_replication_workers", 0);
    a.set("max_locks_per_transaction", 64);
  }

  private int maxConnections() {
    int own = size.maxConnections() + RESERVED_CONNECTIONS;
    return switch (kind) {
      case Kind.Primary primary -> own;
      case Kind.Replica replica -> Math.max(own, replica.leastConnections());
    };
  }

  private void access(Arguments a) {
    a.set("listen_addresses", host);
    a.set("port", port);
    a.set("unix_socket_directories", socketDirectory);
    a.set("unix_socket_permissions", "0700");
    a.set("hba_file", hbaFile);
    a.set("ident_file", identFile);
    a.set("superuser_reserved_connections", RESERVED_CONNECTIONS);
    // Verifiers of this kind are what the gateway can check while the compute sleeps.
    a.set("password_encryption", "scram-sha-256");
    // The gateway ends the clients' TLS. What is between it and computes may have its own.
    PostgresTls shown = tls;
    a.set("ssl", shown == null ? "off" : "on");
    if (shown != null) {
      a.set("ssl_cert_file", shown.certificate());
      a.set("ssl_key_file", shown.key());
    }
    // A client that vanished in the middle of a long statement would keep the compute awake.
    a.set("client_connection_check_interval", "10s");
  }

  private void memory(Arguments a) {
    a.set("shared_buffers", size.sharedBuffersMb() + "MB");
    a.set("work_mem", size.workMemMb() + "MB");
    a.set("maintenance_work_mem", size.maintenanceWorkMemMb() + "MB");
    a.set("effective_cache_size", size.effectiveCacheMb() + "MB");
    a.set("huge_pages", "off");
    // Files in the data directory go when it goes; POSIX segments would outlive kill -9.
    a.set("dynamic_shared_memory_type", "mmap");
  }

  private void inputAndOutput(Arguments a) {
    // Three I/O workers would serialise the misses that the page shim waits for.
    if (postgres.number() >= 18) {
      a.set("io_method", "sync");
    }
    // The page shim does not see direct I/O's alignment rules; 14 and 15 do none on data files.
    if (postgres.number() >= 16) {
      a.set("debug_io_direct", "");
    }
    // Hints to write back early help only an fsync that never comes.
    a.set("checkpoint_flush_after", 0);
    a.set("bgwriter_flush_after", 0);
    a.set("backend_flush_after", 0);
  }

  private void logging(Arguments a) {
    // The agent reads standard error and keeps it.
    a.set("logging_collector", "off");
    a.set("log_destination", "stderr");
    // The warning of a commit that gave up waiting must be in the log, and in this language.
    a.set("log_min_messages", "warning");
    a.set("lc_messages", "C");
    // A failed ALTER ROLE … PASSWORD would put the password into the log.
    a.set("log_min_error_statement", "panic");
    a.set("log_statement", "none");
    a.set("log_checkpoints", "off");
    a.set("log_line_prefix", "%m [%p] ");
    a.set("log_timezone", "UTC");
  }
}
