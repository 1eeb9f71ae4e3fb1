package dev.ebb.launcher.story;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.launcher.process.EbbProcess;
import dev.ebb.launcher.process.FreePorts;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/**
 * Replicas on two compute hosts: one in the server, beside the primary, and one in a process of its
 * own, which is killed.
 */
@EnabledIfSystemProperty(named = "ebb.soak", matches = "true")
final class ReplicaHostsIT {
  private static final Duration BOUND = Duration.ofSeconds(90);
  private static final int WANTED = 3;

  @TempDir private Path directory;

  private volatile boolean enough;

  /** Committed so far. */
  private volatile int rows;

  @Test
  void replicasOfAHostThatIsKilledComeBackOnTheOtherAndThePrimarysClientsDoNotNotice()
      throws Exception {
    int member = FreePorts.take(1).getFirst();
    String members = "hazelcast: {port: " + member + ", members: [\"127.0.0.1:" + member + "\"]}";
    try (var server = new Server(directory, members).start()) {
      Database shop = server.create("shop");
      shop.execute("CREATE TABLE item (id int PRIMARY KEY)");
      // From before there is another host: a host that has just come may not have heard yet that
      // the
      // branch has a primary, and would start one of its own for who connects then.
      CompletableFuture<Void> writer = CompletableFuture.runAsync(() -> write(shop));
      try {
        Await.until("the primary writes", BOUND, () -> rows > 0);
        loseAHost(server, shop, members);
      } finally {
        enough = true;
      }
      // Of one session, which no error ended.
      writer.get(BOUND.toSeconds(), TimeUnit.SECONDS);
      for (Map<?, ?> replica : Standbys.running(server)) {
        try (Connection admin = Standbys.connect(replica, shop)) {
          Standbys.awaitAllOf(shop, admin, BOUND);
          assertThat(Database.ask(admin, "SELECT count(*) FROM item")).isEqualTo("" + rows);
        }
      }
    }
  }

  private void loseAHost(Server server, Database shop, String members) throws Exception {
    try (EbbProcess other = startHost(server, members)) {
      spread(server, shop, other);
      Set<Long> lost = replicasOf(other, server);
      other.kill();
      int before = rows;
      Await.until(
          "as many as are wanted, at the host that is left",
          BOUND,
          () -> {
            Set<Long> now = pids(server);
            return now.size() == WANTED && now.stream().noneMatch(lost::contains);
          });
      assertThat(startedBy(server.pid())).containsAll(pids(server));
      Await.until("the primary's client goes on", BOUND, () -> rows > before);
    }
  }

  /** A host of the server's cluster. */
  private EbbProcess startHost(Server server, String members) throws Exception {
    Path home = Files.createDirectories(directory.resolve("other"));
    Path config =
        Files.write(
            home.resolve("ebb.yaml"),
            List.of(
                "dataDir: " + home.resolve("data"),
                "store: {local: {dir: " + server.store() + "}}",
                // A compute host does not speak to Kafka.
                "kafka: {bootstrapServers: \"127.0.0.1:1\"}",
                members,
                "compute: {memoryBudget: 1GB, cacheDir: " + directory.resolve("cache2") + "}"));
    String secret = Files.readString(server.data().resolve("cluster-secret")).strip();
    EbbProcess host =
        EbbProcess.start(
            home,
            Map.of("EBB_CLUSTER_SECRET", secret),
            "run",
            "compute",
            "--config",
            config.toString());
    host.awaitLine("ebb compute is up", BOUND);
    return host;
  }

  /** Replicas go where there are fewest computes of the branch: to both, once both are known. */
  private static void spread(Server server, Database shop, EbbProcess other) throws Exception {
    // The first goes to the host without the primary; where that one is not known yet, it is asked
    // for again.
    Await.until(
        "a replica at the other host",
        BOUND,
        () -> {
          Standbys.add(shop, 1);
          if (!replicasOf(other, server).isEmpty()) {
            return true;
          }
          Standbys.remove(shop, 1);
          return false;
        });
    Standbys.add(shop, WANTED - 1);
    Await.until("all serve", BOUND, () -> pids(server).size() == WANTED);
    assertThat(replicasOf(other, server)).as("at the other host").isNotEmpty();
    assertThat(startedBy(server.pid())).as("at the server").containsAnyElementsOf(pids(server));
  }

  private static Set<Long> pids(Server server) throws Exception {
    return Standbys.running(server).stream()
        .map(replica -> Standbys.number(replica, "pid"))
        .collect(Collectors.toSet());
  }

  private static Set<Long> replicasOf(EbbProcess host, Server server) throws Exception {
    Set<Long> own = startedBy(host.pid());
    own.retainAll(pids(server));
    return own;
  }

  /** All that was started there, replicas among them. */
  private static Set<Long> startedBy(long host) {
    return ProcessHandle.of(host).stream()
        .flatMap(ProcessHandle::descendants)
        .map(ProcessHandle::pid)
        .collect(Collectors.toSet());
  }

  /** Commits row after row in one session until it is enough. */
  private void write(Database shop) {
    try (Connection connection = shop.connect();
        PreparedStatement insert = connection.prepareStatement("INSERT INTO item VALUES (?)")) {
      int next = 0;
      while (!enough) {
        insert.setInt(1, ++next);
        insert.executeUpdate();
        rows = next;
      }
    } catch (SQLException e) {
      throw new IllegalStateException("the primary's client noticed", e);
    }
  }
}
