package dev.ebb.gateway;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Not a test: pgbench select-only through the gateway and directly, alternating, in one run. Prints
 * the medians, their ratio, and the processor time that the gateway takes for a transaction, which
 * says more on a busy machine. Arguments: seconds a round, rounds.
 */
public final class GatewayThroughput {
  private static final Pattern TPS = Pattern.compile("tps = ([0-9.]+) \\(without");

  private GatewayThroughput() {}

  public static void main(String[] arguments) throws Exception {
    int seconds = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 5;
    int rounds = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 3;
    Path directory = Files.createTempDirectory("ebb-throughput");
    try (var gateway = new GatewayFixture(directory)) {
      int direct = gateway.postgres.port();
      Psql initialized = pgbench(direct, "-i", "-q", "-s", "5");
      if (initialized.exit() != 0) {
        throw new IllegalStateException(initialized.output());
      }
      run(gateway.port, 8, seconds); // warm the JVM
      System.out.println("clients  direct tps  gateway tps  ratio  gateway CPU us/transaction");
      for (int clients : new int[] {1, 8, 16, 64}) {
        var through = new double[rounds];
        var bare = new double[rounds];
        var cpu = new double[rounds];
        for (int i = 0; i < rounds; i++) {
          bare[i] = run(direct, clients, seconds);
          long before = cpuNanos();
          through[i] = run(gateway.port, clients, seconds);
          cpu[i] = (cpuNanos() - before) / 1e3 / (through[i] * seconds);
        }
        Arrays.sort(cpu);
        Arrays.sort(bare);
        Arrays.sort(through);
        double a = bare[rounds / 2];
        double b = through[rounds / 2];
        System.out.printf(
            Locale.ROOT,
            "%7d  %10.0f  %11.0f  %5.2f  %6.1f%n",
            clients,
            a,
            b,
            b / a,
            cpu[rounds / 2]);
      }
    }
    System.exit(0);
  }

  private static long cpuNanos() {
    return ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getProcessCpuTime();
  }

  private static double run(int port, int clients, int seconds) {
    Psql result =
        pgbench(
            port, "-S", "-n", "-M", "simple", "-j", "1", "-c", "" + clients, "-T", "" + seconds);
    Matcher tps = TPS.matcher(result.output());
    if (result.exit() != 0 || !tps.find()) {
      throw new IllegalStateException(result.output());
    }
    return Double.parseDouble(tps.group(1));
  }

  private static Psql pgbench(int port, String... options) {
    var command =
        new java.util.ArrayList<>(
            List.of("pgbench", "-h", "127.0.0.1", "-p", "" + port, "-U", "app"));
    command.addAll(List.of(options));
    command.add("shop");
    return Psql.runCommand(RealPostgres.PASSWORD, command);
  }
}
