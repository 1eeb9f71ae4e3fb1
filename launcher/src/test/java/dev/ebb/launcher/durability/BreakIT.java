package dev.ebb.launcher.durability;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 30, unit = TimeUnit.MINUTES)
@TestMethodOrder(MethodOrderer.MethodName.class)
final class BreakIT {
  private static final Duration BOUND = Duration.ofMinutes(1);
  private static final int WRITERS = 4;

  @TempDir private static Path directory;
  private static KafkaCluster kafka;
  private static Fleet fleet;
  private static Load load;
  private static long began = System.nanoTime();

  static void say(String what) {
    System.out.printf("BreakIT %6d ms: %s%n", (System.nanoTime() - began) / 1_000_000, what);
  }

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
              properties: {request.timeout.ms: "2000"}
            """
                .formatted(kafka.bootstrapServers()));
    fleet.start();
    say("fleet up");
    kafka.awaitUp();
    say("kafka up");
    fleet.makeDatabase();
    say("database");
    List<Writer> writers = new ArrayList<>();
    for (int i = 0; i < WRITERS; i++) {
      writers.add(new RowWriter(i, i == 0 ? 10 : 1, i == 1, i));
    }
    load = new Load(fleet::connect, writers);
    load.prepare();
    load.start();
    say("load");
  }

  @AfterAll
  static void stop() {
    if (fleet != null) {
      fleet.close();
    }
    if (kafka != null) {
      kafka.close();
    }
  }

  @Test
  void a() throws Exception {
    awaitMore(50);
    say("50 rows");
    for (int round = 0; round < 2; round++) {
      String holder = holder();
      say("holder " + holder);
      long at = System.nanoTime();
      int before = load.acknowledged();
      fleet.kill(holder);
      awaitMore(20 + WRITERS);
      say("after kill of " + holder + ": " + (System.nanoTime() - at) / 1_000_000 + " ms to 24 more; before " + before);
      fleet.begin(holder);
      fleet.awaitUp(holder);
      say("restarted");
    }
    String holder = holder();
    say("holder " + holder);
    long at = System.nanoTime();
    fleet.process(holder).signal("STOP");
    try {
      awaitMore(20 + WRITERS);
    } finally {
      fleet.inLog("compute", "branch").forEach(System.out::println);
      for (String n : Fleet.WAL_SERVICES) fleet.inLog(n, "e.w.").forEach(System.out::println);
      fleet.inLog("wal-2", "walservice").forEach(System.out::println);
    }
    say("after stop of " + holder + ": " + (System.nanoTime() - at) / 1_000_000 + " ms");
    fleet.process(holder).signal("CONT");
    load.stop();
    try (var c = fleet.connect()) {
      say("in doubt " + load.verify(c) + " of " + load.acknowledged());
    }
  }

  /** The WAL service that receives. */
  private static String holder() throws Exception {
    String holder = "";
    long latest = -1;
    for (String name : Fleet.WAL_SERVICES) {
      var pid = fleet.process(name).pid();
      var out = new ProcessBuilder("sh", "-c", "ls /proc/" + pid + "/task | while read t; do cat /proc/" + pid + "/task/$t/comm; done").start();
      String threads = new String(out.getInputStream().readAllBytes());
      if (threads.contains("wal-receiver") || threads.contains("wal-confirm")) {
        holder += name;
      }
    }
    return holder;
  }

  private static void awaitMore(int writes) {
    int target = load.acknowledged() + writes;
    await(writes + " more rows", () -> load.acknowledged() >= target);
  }

  private static void await(String what, BooleanSupplier condition) {
    long deadline = System.nanoTime() + BOUND.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > deadline) {
        throw new AssertionError("no " + what + " within " + BOUND);
      }
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5));
    }
  }
}
