package dev.ebb.gateway;

import dev.ebb.shared.model.DatabaseAccess;
import dev.ebb.shared.model.RoleState;
import dev.ebb.shared.model.Secret;
import java.io.IOException;
import java.io.InputStream;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A real PostgreSQL with the database {@code shop} of the role {@code app} ({@link #PASSWORD}),
 * started once for all tests of the process and stopped with it.
 */
public final class RealPostgres {
  public static final String PASSWORD = "s3cret";
  private static final String ADMIN_PASSWORD = "admin-for-tests";
  private static final RealPostgres SHARED = create();

  private final Path home;
  private final int port;
  private final Process process;

  private RealPostgres(Path home, int port, Process process) {
    this.home = home;
    this.port = port;
    this.process = process;
  }

  public static RealPostgres shared() {
    return SHARED;
  }

  public int port() {
    return port;
  }

  long pid() {
    return process.pid();
  }

  private static RealPostgres create() {
    try {
      Path home = Files.createTempDirectory("ebb-gateway-it");
      Files.setPosixFilePermissions(home, PosixFilePermissions.fromString("rwxr-xr-x"));
      unpack(home);
      return start(home, home.resolve("pg/bin"));
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  /** One more, of programs that are installed: the caller closes it, or the process's end does. */
  public static RealPostgres installed(Path programs) throws IOException {
    Path home = Files.createTempDirectory("ebb-gateway-it");
    Files.setPosixFilePermissions(home, PosixFilePermissions.fromString("rwxr-xr-x"));
    return start(home, programs);
  }

  private static RealPostgres start(Path home, Path programs) {
    try {
      Path work = Files.createDirectory(home.resolve("work"));
      Files.writeString(home.resolve("pw"), ADMIN_PASSWORD);
      if (isRoot()) {
        run(List.of("chown", "-R", "postgres", work.toString(), home.resolve("pw").toString()));
      }
      run(
          asPostgres(
              programs + "/initdb",
              "-D",
              work + "/data",
              "-U",
              "ebb_admin",
              "--auth=scram-sha-256",
              "--pwfile=" + home + "/pw",
              "--no-sync",
              "--locale=C",
              "--encoding=UTF8"));
      int port = freePort();
      Process process =
          new ProcessBuilder(
                  asPostgres(
                      programs + "/postgres",
                      "-D",
                      work + "/data",
                      "-p",
                      "" + port,
                      "-k",
                      work.toString(),
                      "-c",
                      "listen_addresses=127.0.0.1",
                      "-c",
                      "fsync=off",
                      "-c",
                      "max_connections=300",
                      "-c",
                      "lc_messages=C"))
              .redirectErrorStream(true)
              .redirectOutput(home.resolve("log").toFile())
              .start();
      var started = new RealPostgres(home, port, process);
      Runtime.getRuntime().addShutdownHook(new Thread(started::stop));
      Await.until("PostgreSQL to start", started::answers);
      started.sql("CREATE ROLE app LOGIN PASSWORD '" + PASSWORD + "'");
      started.sql("CREATE DATABASE shop OWNER app");
      return started;
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  public void stop() {
    process.destroy();
    try {
      if (!process.waitFor(10, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
      run(List.of("rm", "-rf", home.toString()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private boolean answers() {
    try (Connection connection = admin("postgres")) {
      return connection.isValid(1);
    } catch (SQLException e) {
      return false;
    }
  }

  public Connection admin(String database) throws SQLException {
    return DriverManager.getConnection(
        "jdbc:postgresql://127.0.0.1:" + port + "/" + database, "ebb_admin", ADMIN_PASSWORD);
  }

  public void sql(String statement) {
    try (Connection connection = admin("postgres");
        var run = connection.createStatement()) {
      run.execute(statement);
    } catch (SQLException e) {
      throw new IllegalStateException(statement, e);
    }
  }

  public long number(String query) {
    try (Connection connection = admin("postgres");
        var run = connection.createStatement();
        var result = run.executeQuery(query)) {
      result.next();
      return result.getLong(1);
    } catch (SQLException e) {
      throw new IllegalStateException(query, e);
    }
  }

  Optional<RoleState> role(String name) {
    try (Connection connection = admin("postgres");
        var query =
            connection.prepareStatement(
                "SELECT rolpassword, rolcanlogin, rolsuper, rolreplication, rolconnlimit,"
                    + " extract(epoch FROM rolvaliduntil) * 1000 FROM pg_authid WHERE rolname ="
                    + " ?")) {
      query.setString(1, name);
      var row = query.executeQuery();
      if (!row.next()) {
        return Optional.empty();
      }
      String verifier = row.getString(1);
      double validUntil = row.getDouble(6);
      return Optional.of(
          new RoleState(
              name,
              verifier == null ? null : new Secret(verifier),
              row.getBoolean(2),
              row.getBoolean(3),
              row.getBoolean(4),
              row.getInt(5),
              validUntil == 0 ? Long.MAX_VALUE : (long) validUntil));
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Offers TLS from now on; null: offers none. */
  void offerTls(@Nullable Certificates shown) {
    if (shown != null) {
      String certificate = shown.writeCertificate(home.resolve("work/tls.crt")).toString();
      String key = shown.writeKey(home.resolve("work/tls.key")).toString();
      if (isRoot()) {
        run(List.of("chown", "postgres", certificate, key));
      }
      sql("ALTER SYSTEM SET ssl_cert_file = '" + certificate + "'");
      sql("ALTER SYSTEM SET ssl_key_file = '" + key + "'");
    }
    sql("ALTER SYSTEM SET ssl = " + (shown == null ? "off" : "on"));
    sql("SELECT pg_reload_conf()");
    Await.until(
        "the setting",
        () ->
            number("SELECT count(*) FROM pg_stat_ssl WHERE ssl AND pid = pg_backend_pid()")
                == (shown == null ? 0 : 1));
  }

  /** What a database says of a role that exists. */
  Optional<DatabaseAccess> access(String role, String database) {
    try (Connection connection = admin("postgres");
        var query =
            connection.prepareStatement(
                "SELECT datallowconn, datconnlimit, has_database_privilege(a.oid, d.oid, 'CONNECT')"
                    + " FROM pg_authid a, pg_database d WHERE rolname = ? AND datname = ?")) {
      query.setString(1, role);
      query.setString(2, database);
      var row = query.executeQuery();
      return row.next()
          ? Optional.of(
                  new DatabaseAccess(
                      database,
                      row.getBoolean(1),
                      row.getInt(2),
                      row.getBoolean(3) ? List.of() : List.of(role)))
              .filter(access -> !access.isOpen())
          : Optional.empty();
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void unpack(Path home) throws IOException {
    Path archive = home.resolve("pg.txz");
    try (InputStream in = RealPostgres.class.getResourceAsStream("/postgres-linux-x86_64.txz")) {
      Files.copy(in, archive);
    }
    Path target = Files.createDirectory(home.resolve("pg"));
    run(List.of("tar", "xJf", archive.toString(), "-C", target.toString()));
    Files.delete(archive);
  }

  static int freePort() throws IOException {
    try (var socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  private static boolean isRoot() {
    return "root".equals(System.getProperty("user.name"));
  }

  private static List<String> asPostgres(String... command) {
    var all = new ArrayList<String>();
    if (isRoot()) {
      all.addAll(
          List.of("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"));
    }
    all.addAll(List.of(command));
    return all;
  }

  private static void run(List<String> command) {
    try {
      Process process =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .directory(Path.of("/").toFile())
              .start();
      String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (process.waitFor() != 0) {
        throw new IllegalStateException(command + ": " + output);
      }
    } catch (IOException e) {
      throw new IllegalStateException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }
}
