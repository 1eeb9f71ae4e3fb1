package dev.ebb.gateway.compat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.ebb.gateway.FakeComputes;
import dev.ebb.gateway.GatewayFixture;
import dev.ebb.gateway.RealPostgres;
import dev.ebb.gateway.pool.PoolConfig;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code pg_dump}, {@code pg_restore} and {@code psql} of a database with every kind of object,
 * directly and through both ports: what they write is the same, byte for byte. {@code pg_dump}
 * refuses servers newer than itself, so the server is the one that is installed beside it; where
 * there is none, these are skipped.
 */
final class DumpIT {
  private static final String USER = "dumper";
  private static final String SOURCE = "everything";
  private static final int SHOWN_BYTES = 2_000;

  @TempDir private static Path directory;
  private static @Nullable Path programs;
  private static @Nullable RealPostgres postgres;
  private static @Nullable GatewayFixture gateway;

  @BeforeAll
  static void start() throws Exception {
    Optional<Path> found = installed();
    assumeTrue(found.isPresent(), "no PostgreSQL server with its pg_dump is installed");
    programs = found.get();
    RealPostgres started = RealPostgres.installed(found.get());
    postgres = started;
    gateway =
        new GatewayFixture(started, directory, config -> config.withPool(0, PoolConfig.DEFAULT));
    started.sql("CREATE ROLE dumper SUPERUSER LOGIN PASSWORD '" + RealPostgres.PASSWORD + "'");
    create(SOURCE);
    Path script = directory.resolve("everything.sql");
    try (InputStream in = DumpIT.class.getResourceAsStream("everything.sql")) {
      Files.copy(Objects.requireNonNull(in), script);
    }
    run("psql", started.port(), SOURCE, "-q", "-v", "ON_ERROR_STOP=1", "-f", script.toString());
  }

  private static Optional<Path> installed() throws IOException {
    Path root = Path.of("/usr/lib/postgresql");
    if (!Files.isDirectory(root)) {
      return Optional.empty();
    }
    try (Stream<Path> versions = Files.list(root)) {
      return versions
          .max(Comparator.comparingInt(version -> number(root.relativize(version).toString())))
          .map(version -> version.resolve("bin"))
          .filter(bin ->
              Stream.of("postgres", "initdb", "pg_dump", "pg_restore", "psql")
                  .allMatch(each -> Files.isExecutable(bin.resolve(each))));
    }
  }

  private static int number(String version) {
    return version.matches("\\d+") ? Integer.parseInt(version) : 0;
  }

  @AfterAll
  static void stop() {
    if (gateway != null) {
      gateway.close();
    }
    if (postgres != null) {
      postgres.stop();
    }
  }

  private static GatewayFixture gateway() {
    return Objects.requireNonNull(gateway);
  }

  private static List<Integer> ports() {
    return List.of(gateway().port, gateway().poolPort);
  }

  private static int direct() {
    return Objects.requireNonNull(postgres).port();
  }

  /** A database, from the template in which even what is usual is not. */
  private static void create(String database) {
    RealPostgres server = Objects.requireNonNull(postgres);
    server.sql("CREATE DATABASE " + database + " TEMPLATE template0 OWNER " + USER);
    gateway().branches.put(database + "@main", FakeComputes.SHOP);
  }

  private static String run(String program, int port, String database, String... arguments)
      throws IOException, InterruptedException {
    var command = new ArrayList<String>();
    command.add(Objects.requireNonNull(programs).resolve(program).toString());
    command.addAll(List.of("-h", "127.0.0.1", "-p", "" + port, "-U", USER, "-d", database));
    if (program.equals("psql")) {
      command.add("-X");
    }
    command.addAll(List.of(arguments));
    Path errors = Files.createTempFile(directory, program, ".err");
    var builder = new ProcessBuilder(command).redirectError(errors.toFile());
    builder.environment().put("PGPASSWORD", RealPostgres.PASSWORD);
    builder.environment().put("PGSSLMODE", "disable");
    builder.environment().put("LC_ALL", "C.UTF-8");
    Process process = builder.start();
    byte[] output = process.getInputStream().readAllBytes();
    assertThat(process.waitFor(2, TimeUnit.MINUTES)).as(program + " ends").isTrue();
    assertThat(process.exitValue())
        .as("%s %s: %s", program, List.of(arguments), Files.readString(errors))
        .isZero();
    return new String(output, StandardCharsets.UTF_8);
  }

  /** Without the line that keeps psql from what a dump was smuggled into: it is random. */
  private static String dump(int port, String database, String... options) throws Exception {
    String all = run("pg_dump", port, database, options);
    return all.replaceAll("(?m)^\\\\(un)?restrict .*\\n", "");
  }

  /** Says where they differ rather than show both. */
  private static void assertSame(String what, String expected, String actual) {
    if (!expected.equals(actual)) {
      int at = 0;
      while (at < Math.min(expected.length(), actual.length())
          && expected.charAt(at) == actual.charAt(at)) {
        at++;
      }
      int from = Math.max(0, at - 200);
      assertThat(actual.substring(from, Math.min(actual.length(), from + SHOWN_BYTES)))
          .as("%s differs at %d", what, at)
          .isEqualTo(expected.substring(from, Math.min(expected.length(), from + SHOWN_BYTES)));
    }
  }

  @Test
  void dumpsThroughTheGatewayAreThoseOfTheServer() throws Exception {
    for (String[] options :
        new String[][] {
          {"--create"},
          {"--inserts", "--rows-per-insert=7", "--section=data", "--quote-all-identifiers"},
          {"--schema-only", "--serializable-deferrable", "--no-owner"}
        }) {
      String expected = dump(direct(), SOURCE, options);
      assertThat(expected.length()).isGreaterThan(5_000);
      for (int port : ports()) {
        assertSame(List.of(options) + " at " + port, expected, dump(port, SOURCE, options));
      }
    }
  }

  @Test
  void whatWasDumpedAndRestoredThroughTheGatewayIsTheSame() throws Exception {
    String expected = dump(direct(), SOURCE);
    assertThat(expected).contains("CREATE PUBLICATION", "CREATE POLICY", "lo_create", "EXCLUDE");
    for (int port : ports()) {
      String way = port == gateway().port ? "session" : "pool";
      Path script = directory.resolve(way + ".sql");
      Files.writeString(script, run("pg_dump", port, SOURCE));
      String plain = way + "_plain";
      create(plain);
      run("psql", port, plain, "-q", "-v", "ON_ERROR_STOP=1", "-f", script.toString());
      assertSame("restored by psql, " + way, expected, dump(port, plain));

      Path folder = directory.resolve(way + ".dir");
      run("pg_dump", port, SOURCE, "-Fd", "-j", "2", "-f", folder.toString());
      String parallel = way + "_parallel";
      create(parallel);
      run("pg_restore", port, parallel, "-e", "-j", "2", folder.toString());
      assertSame("restored by pg_restore -j, " + way, expected, dump(port, parallel));

      Path custom = directory.resolve(way + ".custom");
      run("pg_dump", port, SOURCE, "-Fc", "-f", custom.toString());
      String single = way + "_single";
      create(single);
      run("pg_restore", port, single, "-e", "-1", custom.toString());
      assertSame("restored by pg_restore -1, " + way, expected, dump(direct(), single));
    }
  }

  /** What psql's commands ask, and what it does beside asking. */
  @Test
  void psqlShowsTheSameThroughTheGateway() throws Exception {
    Path script = directory.resolve("show.sql");
    try (InputStream in = DumpIT.class.getResourceAsStream("show.psql")) {
      Files.copy(Objects.requireNonNull(in), script);
    }
    String expected = run("psql", direct(), SOURCE, "-f", script.toString());
    assertThat(expected).contains("Partition key", "copied 3", "a large object", "gexec ran");
    for (int port : ports()) {
      assertSame("psql at " + port, expected, run("psql", port, SOURCE, "-f", script.toString()));
    }
  }
}
