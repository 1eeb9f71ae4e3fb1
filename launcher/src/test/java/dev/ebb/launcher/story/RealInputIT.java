package dev.ebb.launcher.story;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** pgbench through the gateway on a database that sleeps between its runs. */
final class RealInputIT {
  private static final int SCALE = 10;
  private static final int RUNS = 3;
  private static final int RUN_SECONDS = Soak.ON ? 20 : 4;
  private static final int TIMEOUT_SECONDS = 180;
  private static final Pattern PROCESSED =
      Pattern.compile("number of transactions actually processed: (\\d+)");

  @TempDir private static Path directory;
  private static Server server;

  @BeforeAll
  static void start() throws Exception {
    server = new Server(directory).start();
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  @Test
  void sumsAgreeAndNothingIsDamagedAfterRunsWithSuspendsBetween() throws Exception {
    Database bench = server.create("bench");
    pgbench("-i", "-q", "-s", String.valueOf(SCALE));
    assertThat(bench.ask("SELECT count(*) FROM pgbench_accounts")).isEqualTo("1000000");

    long processed = 0;
    for (int run = 0; run < RUNS; run++) {
      bench.suspend();
      assertThat(bench.state()).isEqualTo("suspended");
      String output =
          pgbench("-n", "-b", "tpcb-like", "-c", "4", "-j", "2", "-T", "" + RUN_SECONDS);
      Matcher told = PROCESSED.matcher(output);
      assertThat(told.find()).as(output).isTrue();
      assertThat(output).contains("number of failed transactions: 0 ");
      processed += Long.parseLong(told.group(1));
      assertSums(bench, processed);
    }
    bench.suspend();
    assertSums(bench, processed);
    Amcheck.assertSound(bench);
    assertThat(processed).as("transactions in all").isGreaterThan(100);
  }

  private static void assertSums(Database bench, long transactions) throws Exception {
    String agree =
        bench.ask(
            """
            SELECT (a.sum = t.sum AND t.sum = b.sum AND b.sum = h.sum)
              || ' ' || h.count || ' of ' || (SELECT count(*) FROM pgbench_accounts)
            FROM (SELECT sum(abalance) FROM pgbench_accounts) a,
              (SELECT sum(tbalance) FROM pgbench_tellers) t,
              (SELECT sum(bbalance) FROM pgbench_branches) b,
              (SELECT sum(delta), count(*) FROM pgbench_history) h
            """);
    assertThat(agree).isEqualTo("true " + transactions + " of 1000000");
  }

  private static String pgbench(String... arguments) throws Exception {
    List<String> command = new ArrayList<>(List.of("pgbench"));
    command.addAll(List.of(arguments));
    Path output = Files.createTempFile(directory, "pgbench", ".log");
    var builder =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output.toFile());
    var environment = builder.environment();
    environment.put("PGHOST", "127.0.0.1");
    environment.put("PGPORT", String.valueOf(server.port()));
    environment.put("PGDATABASE", "bench");
    environment.put("PGUSER", Database.OWNER);
    environment.put("PGPASSWORD", Database.PASSWORD);
    environment.put("LC_ALL", "C");
    Process process = builder.start();
    try {
      assertThat(process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)).as("pgbench ends").isTrue();
      String printed = Files.readString(output, StandardCharsets.ISO_8859_1);
      assertThat(process.exitValue()).as(printed).isZero();
      return printed;
    } finally {
      process.destroyForcibly();
    }
  }
}
