package dev.ebb.computeservice.sql;

import dev.ebb.shared.bus.ComputeMessage.LoginFound;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.DatabaseAccess;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.RoleState;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.scram.ScramVerifier;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.pgclient.PgConnectOptions;
import io.vertx.pgclient.PgConnection;
import io.vertx.pgclient.PgException;
import io.vertx.sqlclient.Row;
import io.vertx.sqlclient.RowSet;
import io.vertx.sqlclient.Tuple;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection to a running compute as {@code ebb_admin}, over its unix socket, where the
 * directory's mode is the authentication. Statements run one after the other. A statement that
 * passes its deadline fails with {@code EbbException.Unavailable}, and so does every later one,
 * which would wait behind it: connect again.
 */
public final class AdminConnection {
  private static final Logger log = LoggerFactory.getLogger(AdminConnection.class);

  /** Nobody works in it, so that its commits can be told from users' ones. */
  public static final String MAINTENANCE_DATABASE = "postgres";

  private static final String ADMIN = "ebb_admin";
  private static final String TEMPLATE_DATABASE = "ebb_template";
  private static final Set<String> RESERVED_DATABASES =
      Set.of(MAINTENANCE_DATABASE, "template0", "template1", TEMPLATE_DATABASE);
  private static final Duration SHORT = Duration.ofSeconds(10);
  private static final int MAX_NAME_BYTES = 63;

  /**
   * Before, it lets a role make itself a member of {@code pg_execute_server_program} and others,
   * and so become PostgreSQL's OS user: as good as superuser, which no owner may be.
   */
  private static final int CREATEROLE_SINCE_MAJOR = 16;

  private static final String ROLE_COLUMNS =
      """
      SELECT rolname, rolpassword, rolcanlogin, rolsuper, rolreplication, rolconnlimit,
             CASE WHEN rolvaliduntil IS NULL OR NOT isfinite(rolvaliduntil) THEN NULL
                  ELSE floor(extract(epoch FROM rolvaliduntil) * 1000)::int8 END,
             rolvaliduntil = '-infinity'
      FROM pg_catalog.pg_authid
      """;

  /** What {@link #login} asks of a role and a database in one go. */
  private static final String LOGIN =
      ROLE_COLUMNS.replace(
              "FROM pg_catalog.pg_authid",
              """
              , datname IS NOT NULL, datallowconn, datconnlimit,
                has_database_privilege(a.oid, d.oid, 'CONNECT')
              FROM pg_catalog.pg_authid a LEFT JOIN pg_catalog.pg_database d ON datname = $2
              """)
          + "WHERE rolname = $1";

  /**
   * Superusers have every privilege, and PostgreSQL's own roles cannot log in. Nobody is asked of
   * templates.
   */
  private static final String RESTRICTED =
      """
      SELECT datname, datallowconn, datconnlimit, refused
      FROM (SELECT datname, datallowconn, datconnlimit,
                   ARRAY(SELECT rolname::text FROM pg_catalog.pg_roles r
                         WHERE rolcanlogin AND NOT has_database_privilege(r.oid, d.oid, 'CONNECT')
                         ORDER BY 1) AS refused
            FROM pg_catalog.pg_database d
            WHERE NOT datistemplate AND datname <> 'postgres') AS databases
      WHERE NOT datallowconn OR datconnlimit >= 0 OR refused <> '{}'
      ORDER BY datname
      """;

  /** 10 is the bootstrap superuser: Ebb itself. Who is still logging in is nobody yet: a use. */
  private static final String ACTIVITY =
      """
      SELECT s.sessions, s.active, s.in_transaction, s.walsenders, s.idle_ms,
             d.sessions_ever, d.commits, pg_current_wal_flush_lsn() - '0/0'::pg_lsn
      FROM (SELECT count(*) FILTER (WHERE backend_type = 'client backend') AS sessions,
                   count(*) FILTER (WHERE state IN ('active', 'fastpath function call')
                                      AND backend_type = 'client backend') AS active,
                   count(*) FILTER (WHERE xact_start IS NOT NULL
                                      AND backend_type = 'client backend') AS in_transaction,
                   count(*) FILTER (WHERE backend_type = 'walsender') AS walsenders,
                   floor(extract(epoch FROM clock_timestamp()
                         - max(greatest(state_change, backend_start))
                           FILTER (WHERE backend_type = 'client backend')) * 1000)::int8 AS idle_ms
            FROM pg_stat_get_activity(NULL)
            WHERE usesysid IS DISTINCT FROM 10) AS s,
           (SELECT coalesce(sum(pg_stat_get_db_sessions(oid)), 0)::int8 AS sessions_ever,
                   coalesce(sum(pg_stat_get_db_xact_commit(oid)), 0)::int8 AS commits
            FROM pg_catalog.pg_database
            WHERE datname <> current_database()) AS d
      """;

  /**
   * What a replica does. {@code latest_end_lsn} is what the sender said last that it could send;
   * {@code confl_active_logicalslot} is not there before 16 and does not happen without slots.
   */
  private static final String REPLICA_ACTIVITY =
      """
      SELECT s.sessions, s.active, s.in_transaction,
             coalesce(pg_last_wal_replay_lsn(), '0/0'::pg_lsn) - '0/0'::pg_lsn,
             coalesce(w.latest_end_lsn, '0/0'::pg_lsn) - '0/0'::pg_lsn,
             w.status IS NOT DISTINCT FROM 'streaming',
             c.tablespaces, c.locks, c.snapshots, c.pins, c.deadlocks
      FROM (SELECT count(*) AS sessions,
                   count(*) FILTER (WHERE state IN ('active', 'fastpath function call')) AS active,
                   count(*) FILTER (WHERE xact_start IS NOT NULL) AS in_transaction
            FROM pg_stat_get_activity(NULL)
            WHERE usesysid IS DISTINCT FROM 10 AND backend_type = 'client backend') AS s,
           (SELECT coalesce(sum(confl_tablespace), 0)::int8 AS tablespaces,
                   coalesce(sum(confl_lock), 0)::int8 AS locks,
                   coalesce(sum(confl_snapshot), 0)::int8 AS snapshots,
                   coalesce(sum(confl_bufferpin), 0)::int8 AS pins,
                   coalesce(sum(confl_deadlock), 0)::int8 AS deadlocks
            FROM pg_catalog.pg_stat_database_conflicts) AS c
           LEFT JOIN pg_catalog.pg_stat_wal_receiver AS w ON true
      """;

  /** Clients' ones; a walsender of a user's can change roles as well. */
  private static final String SESSIONS =
      "(backend_type = 'client backend' AND pid <> pg_backend_pid()"
          + " OR backend_type = 'walsender' AND usesysid IS DISTINCT FROM 10)";

  private final PgConnection connection;
  private volatile boolean stuck;
  private volatile boolean open = true;

  private AdminConnection(PgConnection connection) {
    this.connection = connection;
    connection.closeHandler(closed -> open = false);
    // Its end is news only to who asks next; without a handler the client would log it itself.
    connection.exceptionHandler(error -> open = false);
    connection.noticeHandler(notice -> log.debug("a compute says: {}", notice.getMessage()));
  }

  /** Whether it can be used; false once a statement is stuck or its end is noticed. */
  public boolean isOpen() {
    return open && !stuck;
  }

  /**
   * Connects to the maintenance database.
   *
   * @param socketDirectory where the compute's unix socket is
   * @param port the compute's, which the socket's name carries
   */
  public static Future<AdminConnection> connect(
      Vertx vertx, Path socketDirectory, int port, Duration timeout) {
    PgConnectOptions options =
        new PgConnectOptions()
            .setHost(socketDirectory.toString())
            .setPort(port)
            .setDatabase(MAINTENANCE_DATABASE)
            .setUser(ADMIN)
            .setCachePreparedStatements(true)
            .addProperty("application_name", "ebb")
            // A user's ALTER ROLE or ALTER DATABASE cannot change what these statements mean.
            .addProperty("search_path", "pg_catalog");
    Future<PgConnection> attempt = PgConnection.connect(vertx, options);
    return attempt
        .timeout(timeout.toMillis(), TimeUnit.MILLISECONDS)
        .onFailure(e -> attempt.onSuccess(PgConnection::close))
        .map(AdminConnection::new)
        .recover(e -> Future.failedFuture(failure("connecting", e)));
  }

  /** {@code CHECKPOINT}; as long as it takes, up to the timeout. */
  public Future<Void> checkpoint(Duration timeout) {
    return simple("CHECKPOINT", timeout).mapEmpty();
  }

  /** What is flushed locally; often in the middle of a record. */
  public Future<Lsn> flushLsn() {
    return simple("SELECT pg_current_wal_flush_lsn() - '0/0'::pg_lsn", SHORT)
        .map(rows -> lsn(rows.iterator().next(), 0));
  }

  /**
   * Writes and commits a record, so that the flush position passes everything inserted before.
   * Waits for the synchronous standby as every commit does.
   *
   * @return where the record ends: behind everything inserted before, and between two records
   */
  public Future<Lsn> forceCommit(Duration timeout) {
    return simple("SELECT pg_logical_emit_message(true, 'ebb', '') - '0/0'::pg_lsn", timeout)
        .map(rows -> lsn(rows.iterator().next(), 0));
  }

  /**
   * Whether the synchronous standby streams by now. Where it does, a stop sends it all WAL, up to
   * the last checkpoint, before PostgreSQL ends ({@code WalSndWaitStopping} in {@code
   * walsender.c}); to one that comes too late it sends nothing.
   */
  public Future<Boolean> isReceived() {
    return simple(
            "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE application_name LIKE 'ebb\\_wal\\_%' AND state IN ('catchup', 'streaming'))",
            SHORT)
        .map(rows -> Boolean.TRUE.equals(rows.iterator().next().getBoolean(0)));
  }

  /** Every role, by name. */
  public Future<List<RoleState>> roles() {
    return prepared(ROLE_COLUMNS + "ORDER BY rolname", Tuple.tuple(), SHORT)
        .map(rows -> {
          var roles = new ArrayList<RoleState>();
          rows.forEach(row -> roles.add(role(row)));
          return List.copyOf(roles);
        });
  }

  /** One role. */
  public Future<Optional<RoleState>> role(String name) {
    return prepared(ROLE_COLUMNS + "WHERE rolname = $1", Tuple.of(name), SHORT)
        .map(rows ->
            rows.size() == 0 ? Optional.empty() : Optional.of(role(rows.iterator().next())));
  }

  /** One role, and what one database says of it. */
  public Future<LoginFound> login(String role, String database) {
    return prepared(LOGIN, Tuple.of(role, database), SHORT)
        .map(rows ->
            rows.size() == 0
                ? new LoginFound(null, null, false)
                : loginFound(rows.iterator().next(), database));
  }

  private static LoginFound loginFound(Row row, String database) {
    RoleState role = role(row);
    if (!Boolean.TRUE.equals(row.getBoolean(8))) {
      return new LoginFound(role, null, false);
    }
    boolean mayConnect = Boolean.TRUE.equals(row.getBoolean(11));
    var access =
        new DatabaseAccess(
            database,
            Boolean.TRUE.equals(row.getBoolean(9)),
            row.getInteger(10),
            mayConnect ? List.of() : List.of(role.name()));
    return new LoginFound(role, access.isOpen() ? null : access, false);
  }

  /** The databases of users that are not open to everybody. */
  public Future<List<DatabaseAccess>> restricted() {
    return prepared(RESTRICTED, Tuple.tuple(), SHORT)
        .map(rows -> {
          var restricted = new ArrayList<DatabaseAccess>();
          rows.forEach(row ->
              restricted.add(
                  new DatabaseAccess(
                      row.getString(0),
                      Boolean.TRUE.equals(row.getBoolean(1)),
                      row.getInteger(2),
                      List.of(row.getArrayOfStrings(3)))));
          return List.copyOf(restricted);
        });
  }

  /** What goes on now. */
  public Future<Activity> activity() {
    return prepared(ACTIVITY, Tuple.tuple(), SHORT)
        .map(rows -> {
          Row row = rows.iterator().next();
          int active = row.getInteger(1);
          int inTransaction = row.getInteger(2);
          @Nullable Long idleMs = row.getLong(4);
          return new Activity(
              row.getInteger(0),
              active,
              inTransaction,
              row.getInteger(3),
              row.getLong(5),
              row.getLong(6),
              active + inTransaction > 0
                  ? 0
                  : idleMs == null ? Long.MAX_VALUE : Math.max(0, idleMs),
              lsn(row, 7));
        });
  }

  /** What goes on in a replica now. */
  public Future<ReplicaActivity> replicaActivity() {
    return prepared(REPLICA_ACTIVITY, Tuple.tuple(), SHORT)
        .map(rows -> {
          Row row = rows.iterator().next();
          return new ReplicaActivity(
              row.getInteger(0),
              row.getInteger(1),
              row.getInteger(2),
              lsn(row, 3),
              lsn(row, 4),
              Boolean.TRUE.equals(row.getBoolean(5)),
              new ReplicaActivity.Conflicts(
                  row.getLong(6), row.getLong(7), row.getLong(8), row.getLong(9), row.getLong(10)));
        });
  }

  /** Has PostgreSQL read its configuration file again. */
  public Future<Void> reload() {
    return simple("SELECT pg_reload_conf()", SHORT).mapEmpty();
  }

  /**
   * Makes the owner role and hands it the template's database under its new name. May be repeated:
   * each step looks whether it was done before.
   *
   * @param role the owner
   * @param verifier its SCRAM-SHA-256 verifier
   * @param database the new name of {@code ebb_template}
   * @return fails with {@code Invalid} for names that PostgreSQL or Ebb keep for themselves
   */
  public Future<Void> createOwner(String role, Secret verifier, String database) {
    if (role.startsWith("pg_") || role.startsWith("ebb_") || role.equals("public")) {
      return Future.failedFuture(
          new EbbException.Invalid("the role name \"" + role + "\" is reserved: choose another"));
    }
    if (RESERVED_DATABASES.contains(database)) {
      return Future.failedFuture(
          new EbbException.Invalid(
              "the database name \"" + database + "\" is reserved: choose another"));
    }
    String owner;
    String name;
    String password;
    try {
      owner = identifier(role);
      name = identifier(database);
      password = passwordLiteral(verifier);
    } catch (EbbException.Invalid e) {
      return Future.failedFuture(e);
    }
    String attributes =
        " LOGIN CREATEDB "
            + (connection.databaseMetadata().majorVersion() < CREATEROLE_SINCE_MAJOR
                ? ""
                : "CREATEROLE ")
            + "PASSWORD "
            + password;
    return exists("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = $1", role)
        .compose(
            found -> simple((found ? "ALTER ROLE " : "CREATE ROLE ") + owner + attributes, SHORT))
        .compose(
            done -> exists("SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1", database))
        .compose(found ->
            found
                ? Future.succeededFuture()
                : simple("ALTER DATABASE " + TEMPLATE_DATABASE + " RENAME TO " + name, SHORT))
        .compose(done -> simple("ALTER DATABASE " + name + " OWNER TO " + owner, SHORT))
        .mapEmpty();
  }

  /**
   * Sets the password of {@code ebb_admin}, which it needs on TCP. Does not wait for the
   * synchronous standby, which cannot connect before; a later commit makes it durable.
   */
  public Future<Void> setAdminPassword(Secret verifier) {
    try {
      return simple(
              "BEGIN; SET LOCAL synchronous_commit TO local; ALTER ROLE "
                  + ADMIN
                  + " PASSWORD "
                  + passwordLiteral(verifier)
                  + "; COMMIT",
              SHORT)
          .mapEmpty();
    } catch (EbbException.Invalid e) {
      return Future.failedFuture(e);
    }
  }

  /**
   * Whether some session is making, changing or dropping a database: they hold this lock on {@code
   * pg_database} until they commit ({@code dbcommands.c}).
   */
  public Future<Boolean> isChangingDatabases() {
    return simple(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'pg_database'::regclass"
                + " AND database = 0 AND mode <> 'AccessShareLock' AND pid <> pg_backend_pid())",
            SHORT)
        .map(rows -> Boolean.TRUE.equals(rows.iterator().next().getBoolean(0)));
  }

  /**
   * Tells every session but this one to end, those that are still logging in among them, and does
   * not wait until they do. Ebb's WAL receiver is not a session.
   *
   * @return the processes of PostgreSQL that are no session, and this session's own: whatever else
   *     the postmaster has started is one, or may become one
   */
  public Future<Set<Long>> endSessions() {
    return simple(
            "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_get_activity(NULL) WHERE "
                + SESSIONS
                + "; SELECT pid FROM pg_stat_get_activity(NULL) WHERE NOT ("
                + SESSIONS
                + ")",
            SHORT)
        .map(rows -> {
          var others = new HashSet<Long>();
          rows.next().forEach(row -> others.add(row.getLong(0)));
          return Set.copyOf(others);
        });
  }

  /**
   * Does what every client's first moments do, and no more: connects to a database and asks for a
   * row, so that one can see which blocks that takes.
   */
  public static Future<Void> warmUp(
      Vertx vertx, Path socketDirectory, int port, String database, Duration timeout) {
    PgConnectOptions options =
        new PgConnectOptions()
            .setHost(socketDirectory.toString())
            .setPort(port)
            .setDatabase(database)
            .setUser(ADMIN);
    Future<PgConnection> attempt = PgConnection.connect(vertx, options);
    return attempt
        .timeout(timeout.toMillis(), TimeUnit.MILLISECONDS)
        .onFailure(e -> attempt.onSuccess(PgConnection::close))
        .compose(connection -> connection.query("SELECT 1").execute().eventually(connection::close))
        .recover(e -> Future.failedFuture(failure("the first statements", e)))
        .mapEmpty();
  }

  /**
   * A transaction that was prepared and neither committed nor rolled back.
   *
   * @param database the only one from which it can be ended
   */
  public record PreparedTransaction(String gid, String database) {}

  /** Those of all databases. */
  public Future<List<PreparedTransaction>> preparedTransactions() {
    return simple("SELECT gid, database FROM pg_catalog.pg_prepared_xacts", SHORT)
        .map(rows -> {
          var found = new ArrayList<PreparedTransaction>();
          rows.forEach(
              row -> found.add(new PreparedTransaction(row.getString(0), row.getString(1))));
          return List.copyOf(found);
        });
  }

  /** Rolls one back, in a connection of its own. */
  public static Future<Void> rollBack(
      Vertx vertx,
      Path socketDirectory,
      int port,
      PreparedTransaction transaction,
      Duration timeout) {
    PgConnectOptions options =
        new PgConnectOptions()
            .setHost(socketDirectory.toString())
            .setPort(port)
            .setDatabase(transaction.database())
            .setUser(ADMIN);
    // No parameters in a utility statement; with a backslash quotes would not be all.
    String gid = "E'" + transaction.gid().replace("\\", "\\\\").replace("'", "''") + "'";
    Future<PgConnection> attempt = PgConnection.connect(vertx, options);
    return attempt
        .compose(connection ->
            connection.query("ROLLBACK PREPARED " + gid).execute().eventually(connection::close))
        .timeout(timeout.toMillis(), TimeUnit.MILLISECONDS)
        .recover(e -> Future.failedFuture(failure("ROLLBACK PREPARED", e)))
        .mapEmpty();
  }

  /** Closes it; never fails, and does not wait for a statement that is past its deadline. */
  public Future<Void> close() {
    return stuck ? Future.succeededFuture() : connection.close().otherwiseEmpty();
  }

  private Future<Boolean> exists(String sql, String name) {
    return prepared(sql, Tuple.of(name), SHORT).map(rows -> rows.size() > 0);
  }

  private Future<RowSet<Row>> simple(String sql, Duration timeout) {
    return bounded(() -> connection.query(sql).execute(), timeout);
  }

  private Future<RowSet<Row>> prepared(String sql, Tuple arguments, Duration timeout) {
    return bounded(() -> connection.preparedQuery(sql).execute(arguments), timeout);
  }

  private Future<RowSet<Row>> bounded(Supplier<Future<RowSet<Row>>> statement, Duration timeout) {
    if (stuck) {
      return Future.failedFuture(
          new EbbException.Unavailable("an earlier statement did not end in time: connect again"));
    }
    return statement
        .get()
        .timeout(timeout.toMillis(), TimeUnit.MILLISECONDS)
        .recover(e -> {
          if (e instanceof TimeoutException) {
            stuck = true;
            // Ends when the statement does. It is not cancelled: a commit that is cancelled
            // while it waits for the standby looks like a success.
            connection.close().onFailure(ignored -> {});
          }
          return Future.failedFuture(failure("a statement", e));
        });
  }

  /** The text of a statement is in none of these: it may hold a verifier. */
  private static EbbException failure(String what, Throwable e) {
    if (e instanceof EbbException known) {
      return known;
    }
    if (e instanceof TimeoutException) {
      return new EbbException.Unavailable("the compute did not answer " + what + " in time");
    }
    if (e instanceof PgException error) {
      String said = "the compute answered " + error.getSqlState() + ": " + error.getErrorMessage();
      // 22, 23, 42: what was asked for cannot be.
      return error.getSqlState() != null && error.getSqlState().matches("(22|23|42).*")
          ? new EbbException.Invalid(said)
          : new EbbException.Unavailable(said);
    }
    return new EbbException.Unavailable("the compute's administration failed: " + what, e);
  }

  private static Lsn lsn(Row row, int column) {
    return new Lsn(row.getBigDecimal(column).longValueExact());
  }

  private static RoleState role(Row row) {
    @Nullable String password = row.getString(1);
    @Nullable Long validUntil = row.getLong(6);
    boolean neverValid = Boolean.TRUE.equals(row.getBoolean(7));
    return new RoleState(
        row.getString(0),
        password == null ? null : new Secret(password),
        row.getBoolean(2),
        row.getBoolean(3),
        row.getBoolean(4),
        row.getInteger(5),
        neverValid ? Long.MIN_VALUE : validUntil == null ? Long.MAX_VALUE : validUntil);
  }

  /** A quoted identifier; PostgreSQL would cut a longer one without an error. */
  static String identifier(String name) {
    int bytes = name.getBytes(java.nio.charset.StandardCharsets.UTF_8).length;
    if (bytes == 0 || bytes > MAX_NAME_BYTES || name.indexOf(0) >= 0) {
      throw new EbbException.Invalid("a name has 1 to " + MAX_NAME_BYTES + " bytes");
    }
    return "\"" + name.replace("\"", "\"\"") + "\"";
  }

  /** Only what parses as a verifier, so that nothing in it can end the literal. */
  private static String passwordLiteral(Secret verifier) {
    return "'" + ScramVerifier.parse(verifier).stored().reveal() + "'";
  }
}
