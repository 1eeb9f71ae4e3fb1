package dev.ebb.launcher.durability;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.TopicPartitionInfo;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/**
 * The services as processes of their own, with two WAL services, on three Kafka nodes (replication
 * factor 3, {@code min.insync.replicas=2}), under a load that goes on from the first case to the
 * last: whatever is killed or stands still, commits wait and go on by themselves, and what was
 * acknowledged is there, once. The cases share the processes, which take longer to start than the
 * cases do.
 *
 * <p>{@code -Debb.soak=true} repeats them, each node in its turn, and keeps Kafka away for a whole
 * minute.
 */
@Timeout(value = 60, unit = TimeUnit.MINUTES)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
final class BreakIT {
  private static final boolean SOAK = Boolean.getBoolean("ebb.soak");
  private static final Duration BOUND = Duration.ofSeconds(60);
  private static final int WRITERS = 4;

  /** A write of every writer that began behind the break, and some more. */
  private static final int MORE = 4 * WRITERS;

  private static final int ROUNDS = SOAK ? 10 : 1;

  /** Several times what a request to Kafka may take here ({@code request.timeout.ms}). */
  private static final Duration AWAY = Duration.ofSeconds(SOAK ? 70 : 5);

  @TempDir private static Path directory;

  private static final long SEED = Long.getLong("ebb.seed", System.nanoTime() & 0xffffff);
  private static KafkaCluster kafka;
  private static Admin admin;
  private static Fleet fleet;
  private static Load load;

  /** A WAL service that is not started again yet. */
  private static String killed = "";

  /** Errors that clients had to see. */
  private static List<String> explained = List.of();

  /** The busy branch's. */
  private static String topic;

  @BeforeAll
  static void start() throws Exception {
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx--x--x"));
    kafka = new KafkaCluster(directory.resolve("k"));
    fleet =
        new Fleet(
            directory.resolve("f"),
            """
            kafka:
              bootstrapServers: "%s"
              replicationFactor: 3
              minInsyncReplicas: 2
              properties: {request.timeout.ms: "1500"}
            """
                .formatted(kafka.bootstrapServers()));
    fleet.begin(Fleet.FIRST);
    // A WAL service does not start where there are fewer brokers than copies.
    kafka.awaitUp();
    fleet.start();
    admin = kafka.admin();
    fleet.makeDatabase(Fleet.ASLEEP);
    fleet.suspend(Fleet.ASLEEP);
    Set<String> others = kafka.topics(admin);
    fleet.makeDatabase(Fleet.BUSY);
    await("topic", () -> kafka.topics(admin).size() > others.size());
    topic = kafka.topics(admin).stream().filter(name -> !others.contains(name)).findFirst().get();
    var random = new Random(SEED);
    List<Writer> writers = new ArrayList<>();
    for (int i = 0; i < WRITERS; i++) {
      writers.add(new RowWriter(i, i == 0 ? 10 : 1, i == 1, random.nextLong()));
    }
    load = new Load(() -> fleet.connect(Fleet.BUSY), writers);
    load.prepare();
    load.start();
    awaitMore();
  }

  /** The clients have noticed nothing but time. */
  @AfterEach
  void noClientSawAnError() {
    if (fleet.runs()) {
      assertThat(load.errors()).isEqualTo(explained);
    }
  }

  @AfterAll
  static void stop() {
    if (admin != null) {
      admin.close(Duration.ZERO);
    }
    if (fleet != null) {
      fleet.close();
    }
    if (kafka != null) {
      kafka.close();
    }
  }

  @Test
  @Order(0)
  void allProcessesAreReadyAndMeasured() throws Exception {
    for (String name : Fleet.MEMBERS) {
      assertThat(fleet.ask(name, "/healthz/live").statusCode()).as(name).isEqualTo(200);
      assertThat(fleet.ask(name, "/healthz/ready").body()).as(name).isEqualTo("ready\n");
      assertThat(fleet.ask(name, "/metrics").body()).as(name).contains("jvm_memory_used");
      assertThat(fleet.ask(name, "/other").statusCode()).as(name).isEqualTo(404);
    }
  }

  @Test
  @Order(1)
  void walServiceThatIsKilledHasItsBranchesTakenOver() throws Exception {
    for (int round = 0; round < ROUNDS; round++) {
      String holder = holder();
      long at = System.nanoTime();
      fleet.kill(holder);
      awaitMore();
      say("%s killed: %d more commits after %d ms".formatted(holder, MORE, millisSince(at)));
      if (round + 1 < ROUNDS) {
        fleet.begin(holder);
        fleet.awaitUp(holder);
      } else {
        killed = holder;
      }
    }
  }

  /** A broker that follows, leads the branch's partition, or is the controller as well. */
  @Test
  @Order(2)
  void brokersThatAreKilledInTurnKeepNobodyWaitingForLong() throws Exception {
    List<Integer> victims = new ArrayList<>(List.of(leader()));
    int controller = kafka.controller(admin);
    if (!victims.contains(controller)) {
      victims.add(controller);
    }
    for (int round = 0; SOAK && round < ROUNDS * KafkaCluster.NODES; round++) {
      victims.add(round % KafkaCluster.NODES);
    }
    for (int victim : victims) {
      awaitAllInSync();
      String what =
          "broker %d%s%s"
              .formatted(
                  victim,
                  victim == leader() ? ", leader" : "",
                  victim == kafka.controller(admin) ? ", controller" : "");
      long at = System.nanoTime();
      kafka.kill(victim);
      awaitMore();
      say("%s killed: %d more commits after %d ms".formatted(what, MORE, millisSince(at)));
      if (!killed.isEmpty()) {
        // Two of three brokers are enough for a WAL service to start.
        fleet.begin(killed);
        fleet.awaitUp(killed);
        killed = "";
      }
      kafka.restart(victim);
    }
  }

  @Test
  @Order(3)
  void commitsWaitForTheSecondOfThreeBrokersAndSoDoesABranchThatIsWoken() throws Exception {
    awaitAllInSync();
    int first = leader();
    int second = (first + 1) % KafkaCluster.NODES;
    kafka.kill(first);
    kafka.kill(second);
    long at = System.nanoTime();
    try (Connection reader = fleet.connect(Fleet.BUSY)) {
      await("wait of all writers", () -> waiting(reader) == WRITERS);
      int before = load.acknowledged();
      assertThatABranchThatSleptReadsAndWaits(() -> {
        assertThat(load.acknowledged()).as("commits while they wait").isEqualTo(before);
        say("two brokers killed: all wait, for %d ms".formatted(millisSince(at)));
        kafka.restart(first);
      });
    }
    awaitMore();
    say("two brokers killed, one back: more commits after %d ms".formatted(millisSince(at)));
    kafka.restart(second);
  }

  @Test
  @Order(4)
  void commitsWaitWhileKafkaIsUnreachableAndGoOnByThemselves() throws Exception {
    awaitAllInSync();
    for (int node = 0; node < KafkaCluster.NODES; node++) {
      kafka.pause(node);
    }
    long at = System.nanoTime();
    try (Connection reader = fleet.connect(Fleet.BUSY)) {
      await("wait of all writers", () -> waiting(reader) == WRITERS);
      int before = load.acknowledged();
      await("end of the time", () -> System.nanoTime() - at > AWAY.toNanos());
      assertThat(load.acknowledged()).as("commits while they wait").isEqualTo(before);
      assertThat(waiting(reader)).as("commits that wait").isEqualTo(WRITERS);
    }
    for (int node = 0; node < KafkaCluster.NODES; node++) {
      kafka.resume(node);
    }
    long back = System.nanoTime();
    awaitMore();
    say("Kafka away for %s: more commits after %d ms".formatted(AWAY, millisSince(back)));
  }

  @Test
  @Order(4)
  @EnabledIfSystemProperty(named = "ebb.soak", matches = "true")
  void commitsWaitWhileAllOfKafkaIsStoppedAndGoOnByThemselves() throws Exception {
    awaitAllInSync();
    for (int node = 0; node < KafkaCluster.NODES; node++) {
      kafka.stop(node);
    }
    long at = System.nanoTime();
    await("end of the time", () -> System.nanoTime() - at > AWAY.toNanos());
    for (int node = 0; node < KafkaCluster.NODES; node++) {
      kafka.restart(node);
    }
    awaitMore();
    say("Kafka stopped for %s: more commits after %d ms".formatted(AWAY, millisSince(at)));
    awaitAllInSync();
  }

  /** It is alive to everybody but those who ask it; then it goes on where it stood still. */
  @Test
  @Order(5)
  void walServiceThatStoodStillIsFencedWhenItComesBack() throws Exception {
    for (int round = 0; round < ROUNDS; round++) {
      String holder = holder();
      int endedBefore = fleet.inLog(holder, "took over from").size();
      long at = System.nanoTime();
      fleet.process(holder).signal("STOP");
      awaitMore();
      say("%s stood still: %d more commits after %d ms".formatted(holder, MORE, millisSince(at)));
      fleet.process(holder).signal("CONT");
      await(
          "end of what stood still",
          () -> fleet.inLog(holder, "took over from").size() > endedBefore);
      awaitMore();
      assertThat(holder()).as("who receives").isNotEqualTo(holder);
    }
  }

  /** For longer than the cluster waits: it is expelled, and joins again once it goes on. */
  @Test
  @Order(6)
  @EnabledIfSystemProperty(named = "ebb.soak", matches = "true")
  void memberThatStoodStillForSoLongThatItWasExpelledJoinsAgain() throws Exception {
    for (String name : Fleet.MEMBERS) {
      awaitAllMembers();
      long at = System.nanoTime();
      fleet.process(name).signal("STOP");
      String other = name.equals(Fleet.FIRST) ? "gateway" : Fleet.FIRST;
      await("expulsion", () -> fleet.members(other) == Fleet.MEMBERS.size() - 1);
      say("%s stood still: expelled after %d ms".formatted(name, millisSince(at)));
      if (Fleet.WAL_SERVICES.contains(name)) {
        awaitMore();
      }
      long again = System.nanoTime();
      fleet.process(name).signal("CONT");
      awaitAllMembers();
      say("%s goes on: a member again after %d ms".formatted(name, millisSince(again)));
      await(
          "word of it",
          () -> !fleet.inLog(name, "this process joined the cluster again").isEmpty());
      if (name.equals("compute")) {
        // What a session needs of its host it waits for in vain.
        explained = load.errors();
      }
      awaitMore();
      await("a branch that sleeps answers", BreakIT::wakesAndSleeps);
      say("%s goes on: all is well after %d ms".formatted(name, millisSince(again)));
    }
  }

  private static boolean wakesAndSleeps() throws Exception {
    try (Connection connection = fleet.connect(Fleet.ASLEEP);
        Statement statement = connection.createStatement()) {
      statement.execute("CREATE TABLE IF NOT EXISTS again (n int)");
      statement.execute("INSERT INTO again VALUES (1)");
    } catch (SQLException e) {
      say("not yet: " + e.getMessage());
      return false;
    }
    fleet.suspend(Fleet.ASLEEP);
    return true;
  }

  private static void awaitAllMembers() throws Exception {
    for (String name : Fleet.MEMBERS) {
      await(
          "all members as " + name + " sees them",
          () -> fleet.members(name) == Fleet.MEMBERS.size());
    }
  }

  @Test
  @Order(7)
  void walServiceThatIsStoppedLeavesItsBranchesToAnother() throws Exception {
    // The one that stood still may have been expelled meanwhile, and joins again.
    for (String name : Fleet.MEMBERS) {
      await(
          "readiness of " + name, () -> fleet.ask(name, "/healthz/ready").body().equals("ready\n"));
    }
    String holder = holder();
    long at = System.nanoTime();
    assertThat(fleet.stop(holder)).as("exit code").isZero();
    awaitMore();
    say("%s was stopped: %d more commits after %d ms".formatted(holder, MORE, millisSince(at)));
  }

  /**
   * Kafka's producer waits for ever for a topic that somebody deleted, as for one in the making.
   */
  @Test
  @Order(8)
  @EnabledIfSystemProperty(named = "ebb.soak", matches = "true")
  void commitsWaitForATopicThatSomebodyDeletedAndTheLogSaysSo() throws Exception {
    Set<String> others = kafka.topics(admin);
    fleet.makeDatabase("doomed");
    await("topic", () -> kafka.topics(admin).size() > others.size());
    List<String> doomed =
        kafka.topics(admin).stream().filter(name -> !others.contains(name)).toList();
    Connection writer = fleet.connect("doomed");
    try (Connection reader = fleet.connect("doomed")) {
      execute(writer, "CREATE TABLE kept AS SELECT 1");
      admin.deleteTopics(doomed).all().get(20, TimeUnit.SECONDS);
      long at = System.nanoTime();
      var written =
          CompletableFuture.runAsync(() -> execute(writer, "INSERT INTO kept VALUES (2)"));
      await("wait of the commit", () -> waiting(reader) == 1);
      await("word of it", BreakIT::deletionIsTold);
      say("a topic was deleted: told after %d ms".formatted(millisSince(at)));
      assertThat(written).isNotDone();
      assertThat(waiting(reader)).isEqualTo(1);
      assertThat(number(reader, "SELECT count(*) FROM kept")).isEqualTo(1);
    } finally {
      // To close it would be to wait for what never comes.
      writer.abort(Runnable::run);
    }
    awaitMore();
  }

  private static void execute(Connection connection, String sql) {
    try (Statement statement = connection.createStatement()) {
      statement.execute(sql);
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  private static boolean deletionIsTold() throws Exception {
    for (String name : Fleet.WAL_SERVICES) {
      if (!fleet.inLog(name, "was deleted: its commits wait and none is acknowledged").isEmpty()) {
        return true;
      }
    }
    return false;
  }

  /** All of it is killed, and one process reads what Kafka and the store have. */
  @Test
  @Order(9)
  void everythingThatWasAcknowledgedIsInKafkaAndTheStore() throws Exception {
    awaitMore();
    fleet.killAll();
    load.stop();
    int acknowledged = load.acknowledged();
    fleet.startAlone();
    try (Connection connection = load.connect()) {
      int inDoubt = load.verify(connection);
      say("%d commits acknowledged, %d in doubt; all are there".formatted(acknowledged, inDoubt));
    }
    assertThat(load.leastAcknowledged()).as("commits of the slowest writer").isPositive();
    try (Connection connection = fleet.connect(Fleet.ASLEEP)) {
      assertThat(number(connection, "SELECT count(*) FROM woken")).isEqualTo(1);
    }
  }

  /** What it reads needs no Kafka; what it writes waits like everybody's. */
  private static void assertThatABranchThatSleptReadsAndWaits(Action meanwhile) throws Exception {
    CompletableFuture<Void> written;
    try (Connection writer = fleet.connect(Fleet.ASLEEP);
        Connection reader = fleet.connect(Fleet.ASLEEP)) {
      assertThat(number(reader, "SELECT count(*) FROM pg_class")).isPositive();
      written = CompletableFuture.runAsync(() -> execute(writer, "CREATE TABLE woken AS SELECT 1"));
      await("wait of the branch that slept", () -> waiting(reader) == 1);
      meanwhile.run();
      assertThat(written).isNotDone();
      await("end of the wait", written::isDone);
      written.join();
    }
  }

  private interface Action {
    void run() throws Exception;
  }

  private static int waiting(Connection connection) throws SQLException {
    return number(connection, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
  }

  private static int number(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery(sql)) {
      row.next();
      return row.getInt(1);
    }
  }

  /** The WAL service that receives the busy branch; which of them does is seen by its threads. */
  private static String holder() throws Exception {
    List<String> holders = new ArrayList<>();
    await(
        "one receiver",
        () -> {
          holders.clear();
          for (String name : Fleet.WAL_SERVICES) {
            if (fleet.receives(name)) {
              holders.add(name);
            }
          }
          return holders.size() == 1;
        });
    return holders.getFirst();
  }

  private static int leader() throws Exception {
    return kafka.partition(admin, topic).leader().id();
  }

  /** Of every branch: what is lost with those that are killed next must be on another one. */
  private static void awaitAllInSync() throws Exception {
    for (int node = 0; node < KafkaCluster.NODES; node++) {
      kafka.awaitUp(node);
    }
    await(
        "replicas in sync",
        () -> {
          for (String one : kafka.topics(admin)) {
            TopicPartitionInfo partition = kafka.partition(admin, one);
            if (partition.isr().size() < KafkaCluster.NODES || partition.leader() == null) {
              return false;
            }
          }
          return true;
        });
  }

  private static void awaitMore() throws Exception {
    int target = load.acknowledged() + MORE;
    await(MORE + " more commits", () -> load.acknowledged() >= target);
  }

  private static void await(String what, Callable<Boolean> condition) throws Exception {
    long deadline = System.nanoTime() + BOUND.toNanos();
    while (!condition.call()) {
      if (System.nanoTime() > deadline) {
        throw new AssertionError("seed " + SEED + ": no " + what + " within " + BOUND);
      }
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5));
    }
  }

  private static long millisSince(long nanos) {
    return (System.nanoTime() - nanos) / 1_000_000;
  }

  private static void say(String what) {
    System.out.println("BreakIT: " + what);
  }
}
