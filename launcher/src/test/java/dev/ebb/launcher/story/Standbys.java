package dev.ebb.launcher.story;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.launcher.client.ApiException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;

/** The replicas of a server, as the API tells of them. */
final class Standbys {
  private Standbys() {}

  static void add(Database of, int count) throws Exception {
    assertThat(of.server().api().send("POST", path(of), Map.of("count", count))).isNotNull();
  }

  static void remove(Database of, int count) throws Exception {
    assertThat(of.server().api().send("DELETE", path(of) + "?count=" + count, null)).isNotNull();
  }

  private static String path(Database of) {
    String branch = of.name().contains("@") ? of.name().replaceFirst(".*@", "") : "main";
    return "/v1/databases/" + of.bareName() + "/branches/" + branch + "/replicas";
  }

  /** Those that serve. */
  static List<Map<?, ?>> running(Server server) throws IOException, ApiException {
    List<Map<?, ?>> running = new ArrayList<>();
    for (Map<?, ?> compute : server.computes()) {
      if ("replica".equals(compute.get("kind")) && "running".equals(compute.get("state"))) {
        running.add(compute);
      }
    }
    return running;
  }

  static long number(Map<?, ?> object, String key) {
    return object.get(key) instanceof Number number ? number.longValue() : -1;
  }

  /** Past the gateway, as the superuser that only Ebb itself may be. */
  static Connection connect(Map<?, ?> replica, Database of) throws Exception {
    return Database.connect(
        (int) number(replica, "port"),
        of.bareName(),
        "ebb_admin",
        of.adminPassword(),
        new Properties());
  }

  /** Waits until it has replayed all that the primary has flushed. */
  static void awaitAllOf(Database primary, Connection replica, Duration bound) throws Exception {
    String end = primary.ask("SELECT pg_current_wal_flush_lsn()");
    Await.until(
        "it has replayed all",
        bound,
        () ->
            Database.ask(replica, "SELECT pg_last_wal_replay_lsn() >= '" + end + "'").equals("t"));
  }

  /** Sends a signal to one process. */
  static void signal(String name, long pid) throws Exception {
    assertThat(new ProcessBuilder("kill", "-" + name, "" + pid).start().waitFor()).isZero();
  }

  /** The directories of replicas. */
  static Set<Path> laid(Server server) throws IOException {
    try (Stream<Path> computes = Files.list(server.cache().resolve("computes"))) {
      return new TreeSet<>(
          computes.filter(path -> path.getFileName().toString().contains("-replica-")).toList());
    }
  }
}
