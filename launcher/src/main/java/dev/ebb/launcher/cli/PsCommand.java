package dev.ebb.launcher.cli;

import dev.ebb.launcher.cli.Table.Column;
import dev.ebb.launcher.client.ApiClient;
import dev.ebb.launcher.client.Json;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;

/** {@code ebb ps}. */
@Command(
    name = "ps",
    description = "List the computes that run, and how far replicas are behind.",
    footer = {"", "Example: ./ebb ps --json"})
final class PsCommand extends ApiCommand {
  private static final String[] UNITS = {"B", "kB", "MB", "GB", "TB"};

  @Override
  void ask(ApiClient client) throws Exception {
    Object answer = client.send("GET", "/v1/computes", null);
    if (options().json()) {
      out().println(Json.write(answer));
      return;
    }
    var table =
        new Table(
            Column.text("DATABASE"),
            Column.text("KIND"),
            Column.text("STATE"),
            Column.number("PID"),
            Column.number("UP"),
            Column.number("IDLE"),
            Column.number("CLIENTS"),
            Column.number("MEMORY"),
            Column.number("FETCHED"),
            Column.text("DURABLE"),
            Column.number("LAG"),
            Column.text("HOST"));
    for (Map<?, ?> compute : objects(answer, "computes")) {
      String database = text(compute, "database");
      String branch = text(compute, "branch");
      table.row(
          "main".equals(branch) ? database : database + "@" + branch,
          text(compute, "kind"),
          text(compute, "state"),
          text(compute, "pid"),
          duration(number(compute, "uptimeMs")),
          compute.get("idleMs") == null ? "-" : duration(number(compute, "idleMs")),
          text(compute, "connections"),
          bytes(number(compute, "residentBytes")),
          bytes(number(compute, "hydratedBytes")),
          text(compute, "durableLsn"),
          lag(compute),
          text(compute, "host"));
    }
    table.print(out());
  }

  /** How far a replica is behind; of a primary nothing. */
  static String lag(Map<?, ?> compute) {
    return compute.get("lagBytes") == null
        ? "-"
        : bytes(number(compute, "lagBytes")) + " / " + number(compute, "lagMs") + " ms";
  }

  static String text(Map<?, ?> object, String key) {
    Object value = object.get(key);
    return value == null ? "-" : value.toString();
  }

  static long number(Map<?, ?> object, String key) {
    return object.get(key) instanceof Number number ? number.longValue() : 0;
  }

  /** In the two largest units. */
  static String duration(long millis) {
    var duration = Duration.ofMillis(millis);
    if (duration.toDays() > 0) {
      return duration.toDays() + "d" + duration.toHoursPart() + "h";
    }
    if (duration.toHours() > 0) {
      return duration.toHours() + "h" + duration.toMinutesPart() + "m";
    }
    if (duration.toMinutes() > 0) {
      return duration.toMinutes() + "m" + duration.toSecondsPart() + "s";
    }
    return duration.toSeconds() + "s";
  }

  static String bytes(long bytes) {
    double number = bytes;
    int unit = 0;
    while (number >= 1024 && unit < UNITS.length - 1) {
      number /= 1024;
      unit++;
    }
    String shown = String.format(Locale.ROOT, unit == 0 || number >= 10 ? "%.0f" : "%.1f", number);
    return shown + " " + UNITS[unit];
  }
}
