package dev.ebb.gateway.compat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;

/** The tests that {@code vertx-pg-client} publishes, as far as they need a server. */
final class ClientSuite {
  private static final long DEADLINE_MINUTES = 10;

  /** A part that takes seconds and has something of everything. */
  static final List<String> SHORT =
      classes(
          "pgclient.PreparedStatementTest",
          "pgclient.PgExceptionTest",
          "pgclient.PgPipeliningTest",
          "pgclient.NoticeTest",
          "pgclient.PubSubTest",
          "pgclient.TLSTest",
          "pgclient.data.BooleanTypeSimpleCodecTest",
          "pgclient.data.BooleanTypeExtendedCodecTest",
          "pgclient.data.DateTimeTypesSimpleCodecTest",
          "pgclient.data.DateTimeTypesExtendedCodecTest",
          "pgclient.data.CustomTypesExtendedCodecTest",
          "pgclient.tck.PgPreparedBatchTest",
          "pgclient.tck.PgPreparedQueryPooledTest",
          "pgclient.tck.PgSimpleQueryTest",
          "pgclient.tck.PgTransactionTest");

  static final List<String> ALL =
      join(
          SHORT,
          classes(
              "pgclient.CloseConnectionTest",
              "pgclient.PgConnectionTest",
              "pgclient.PgMetricsTest",
              "pgclient.PgPoolTest",
              "pgclient.PgPooledConnectionTest",
              "pgclient.PgScramConnectionTest",
              "pgclient.PreparedStatementCachedTest",
              "pgclient.RowTest",
              "pgclient.SharedPoolTest",
              "pgclient.context.DuplicateContextTest",
              "pgclient.context.EventLoopContextTest",
              "pgclient.context.WorkerContextTest",
              "pgclient.data.BinaryDataTypesExtendedCodecTest",
              "pgclient.data.BinaryDataTypesSimpleCodecTest",
              "pgclient.data.CharacterTypesExtendedCodecTest",
              "pgclient.data.CharacterTypesSimpleCodecTest",
              "pgclient.data.CidrCodecTest",
              "pgclient.data.CustomTypesSimpleCodecTest",
              "pgclient.data.EnumeratedTypesExtendedCodecTest",
              "pgclient.data.EnumeratedTypesSimpleCodecTest",
              "pgclient.data.GeometricTypesExtendedCodecTest",
              "pgclient.data.GeometricTypesSimpleCodecTest",
              "pgclient.data.InetCodecTest",
              "pgclient.data.JavaEnumTest",
              "pgclient.data.JsonTypesExtendedCodecTest",
              "pgclient.data.JsonTypesSimpleCodecTest",
              "pgclient.data.MonetaryTypeExtendedCodecTest",
              "pgclient.data.MonetaryTypeSimpleCodecTest",
              "pgclient.data.NullSimpleCodecTest",
              "pgclient.data.NumericTypesExtendedCodecTest",
              "pgclient.data.NumericTypesSimpleCodecTest",
              "pgclient.data.PreparedStatementParamCoercionTest",
              "pgclient.data.TsTypesExtendedCodecTest",
              "pgclient.data.TsTypesSimpleCodecTest",
              "pgclient.data.UUIDTypeExtendedCodecTest",
              "pgclient.data.UUIDTypeSimpleCodecTest",
              "pgclient.tck.PgBinaryDataTypeDecodeTest",
              "pgclient.tck.PgBinaryDataTypeEncodeTest",
              "pgclient.tck.PgCollectorTest",
              "pgclient.tck.PgConnectionAutoRetryTest",
              "pgclient.tck.PgConnectionTest",
              "pgclient.tck.PgDriverTest",
              "pgclient.tck.PgNullValueEncodeTest",
              "pgclient.tck.PgPipeliningQueryTest",
              "pgclient.tck.PgPreparedQueryCachedTest",
              "pgclient.tck.PgPreparedQueryTest",
              "pgclient.tck.PgSimpleQueryPooledTest",
              "pgclient.tck.PgTextDataTypeDecodeTest",
              "pgclient.tck.PgTracingTest"));

  /** What came of a test. */
  record Result(String outcome, long ms, String why) {}

  private ClientSuite() {}

  private static List<String> classes(String... names) {
    return List.of(names).stream().map(name -> "io.vertx.tests." + name).toList();
  }

  private static List<String> join(List<String> first, List<String> second) {
    var all = new ArrayList<>(first);
    all.addAll(second);
    return List.copyOf(all);
  }

  /** The tables that the tests expect. */
  static String schema() throws IOException {
    try (InputStream in = ClientSuite.class.getResourceAsStream("/create-postgres.sql")) {
      if (in == null) {
        throw new IOException("the suite's create-postgres.sql is missing");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  /**
   * Runs classes in a JVM of their own.
   *
   * @param properties by which they find their servers
   * @return by the tests' names, without {@code io.vertx.tests}
   */
  static Map<String, Result> run(
      Path directory, String mode, Map<String, String> properties, List<String> classes)
      throws IOException, InterruptedException {
    Path results = directory.resolve(mode + ".tsv");
    Path log = directory.resolve(mode + ".log");
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "-Xmx512m",
            "-XX:TieredStopAtLevel=1",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-Dlogback.configurationFile=dev/ebb/gateway/compat/logback-quiet.xml",
            "-cp",
            System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"))));
    properties.forEach((name, value) -> command.add("-D" + name + "=" + value));
    command.add(SuiteRun.class.getName());
    command.add(results.toString());
    command.addAll(classes);
    Process process =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start();
    if (!process.waitFor(DEADLINE_MINUTES, TimeUnit.MINUTES)) {
      process.destroyForcibly();
      throw new AssertionError("the suite hangs, last in " + last(results));
    }
    if (process.exitValue() != 0) {
      throw new AssertionError("the suite ended early:\n" + Files.readString(log));
    }
    return read(results);
  }

  private static String last(Path results) throws IOException {
    return Files.exists(results) ? Files.readAllLines(results).getLast() : "its first test";
  }

  private static Map<String, Result> read(Path results) throws IOException {
    var all = new TreeMap<String, Result>();
    for (String line : Files.readAllLines(results)) {
      String[] columns = line.split("\t", 4);
      all.put(columns[0], new Result(columns[1], Long.parseLong(columns[2]), columns[3]));
    }
    return all;
  }
}
