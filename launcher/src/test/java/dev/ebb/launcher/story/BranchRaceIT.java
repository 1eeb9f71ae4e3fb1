package dev.ebb.launcher.story;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.launcher.client.ApiException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Several people change the branches of one database at once. */
final class BranchRaceIT {
  private static final Duration BOUND = Duration.ofSeconds(60);

  /** However they meet, nobody waits for what never comes. */
  private static final Duration ANSWER = Duration.ofSeconds(15);

  private static final int ROUNDS = Boolean.getBoolean("ebb.soak") ? 30 : 4;
  private static final String DONE = "done";

  @TempDir private static Path directory;
  private static Server server;

  @BeforeAll
  static void start() throws Exception {
    server = new Server(directory, "compute.captureInterval: 2s").start();
    server.first().suspend();
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  /** Something that is asked of the API. */
  private interface Asked {
    void ask() throws Exception;
  }

  /** Asks all of it at the same moment; gives what each was answered. */
  private static List<String> atOnce(Asked... all) throws Exception {
    var barrier = new CyclicBarrier(all.length);
    List<String> answers = new ArrayList<>();
    try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<String>> asked = new ArrayList<>();
      for (Asked one : all) {
        asked.add(
            threads.submit(
                (Callable<String>)
                    () -> {
                      barrier.await();
                      long begin = System.nanoTime();
                      String answer = answer(one);
                      assertThat(Duration.ofNanos(System.nanoTime() - begin))
                          .as(answer)
                          .isLessThan(ANSWER);
                      return answer;
                    }));
      }
      for (Future<String> one : asked) {
        answers.add(one.get(BOUND.toSeconds(), TimeUnit.SECONDS));
      }
    }
    return answers;
  }

  private static String answer(Asked one) throws Exception {
    try {
      one.ask();
      return DONE;
    } catch (ApiException.Refused refused) {
      assertThat(refused.status()).as(refused.getMessage()).isIn(404, 409);
      return String.valueOf(refused.getMessage());
    }
  }

  @Test
  void ofSeveralWhoMakeABranchOfOneNameOneDoes() throws Exception {
    Database shop = server.create("shop");
    var branches = new Branches(server, "shop");
    shop.execute("CREATE TABLE entry (number int PRIMARY KEY, payload text)");
    try (var writers = new RowWriters(shop, 2)) {
      for (int round = 0; round < ROUNDS; round++) {
        writers.awaitMore(50, BOUND);
        var before = writers.copy();
        String name = "dev" + round;
        Asked make = () -> branches.create(shop, name);

        List<String> answers = atOnce(make, make, make, make);

        assertThat(answers).containsOnlyOnce(DONE);
        answers.remove(DONE);
        assertThat(answers).allMatch(text -> text.contains("shop@" + name + " exists already"));
        assertThat(writers.missingAmong(shop.at(name), before)).isEmpty();
        shop.at(name).suspend();
      }
    }
    assertNothingLiesAbout(branches);
  }

  @Test
  void createDropRenameResetAndRestoreAtOnceLeaveWholeBranchesAndNothingElse() throws Exception {
    Database blog = server.create("blog");
    var branches = new Branches(server, "blog");
    blog.execute("CREATE TABLE entry (number int PRIMARY KEY, payload text)");
    try (var writers = new RowWriters(blog, 2)) {
      for (int round = 0; round < ROUNDS; round++) {
        writers.awaitMore(50, BOUND);
        branches.create(blog, "dev").execute("INSERT INTO entry VALUES (-1, 'dev')");
        String other = "other" + round;

        List<Asked> all =
            new ArrayList<>(
                List.of(
                    () -> branches.create(blog, "new", "dev", null),
                    () -> branches.create(blog, other),
                    () -> dropOnceListed(branches, other),
                    () -> branches.rename("dev", "stage"),
                    () -> branches.reset("dev"),
                    () -> branches.restore("dev", "-0s")));
        if (round % 2 == 0) {
          all.add(() -> branches.drop("dev", false)); // which is faster than all others, mostly
        }
        List<String> answers = atOnce(all.toArray(Asked[]::new));
        System.out.println("BranchRaceIT: " + answers);
        assertThat(answers)
            .allMatch(answer -> answer.equals(DONE) || answer.matches("(blog@|database \"blog).*"));

        for (Map.Entry<String, Map<?, ?>> branch : branches.list().entrySet()) {
          assertThat(String.valueOf(branch.getValue().get("state")))
              .as(branch.toString())
              .isIn("running", "suspended");
          assertThat(blog.at(branch.getKey()).ask("SELECT count(*) > 0 FROM entry")).isEqualTo("t");
        }
        for (String name : branches.list().keySet()) {
          if (!name.equals("main")) {
            branches.drop(name, true);
          }
        }
      }
    }
    assertThat(branches.list()).containsOnlyKeys("main");
    assertNothingLiesAbout(branches);
  }

  /** In the midst of its creation, that is, or behind it. */
  private static void dropOnceListed(Branches branches, String name) throws Exception {
    long begin = System.nanoTime();
    while (true) {
      try {
        branches.drop(name, true);
        return;
      } catch (ApiException.Refused notYet) {
        assertThat(notYet.status()).as(notYet.getMessage()).isEqualTo(404);
        assertThat(System.nanoTime() - begin).isLessThan(ANSWER.toNanos());
      }
    }
  }

  /** Every branch that is stored, and every topic, is one that is listed. */
  private static void assertNothingLiesAbout(Branches branches) throws Exception {
    Set<String> listed = new TreeSet<>();
    for (String database : List.of("ebb", "shop", "blog")) {
      try {
        new Branches(server, database)
            .list()
            .values()
            .forEach(branch -> listed.add(String.valueOf(branch.get("id"))));
      } catch (ApiException.Refused none) {
        assertThat(none.status()).isEqualTo(404);
      }
    }
    assertThat(listed).isNotEmpty();
    Set<String> alive = new TreeSet<>();
    for (Path branch : children(server.store().resolve("branches"))) {
      Path head = branch.resolve("head");
      if (Files.exists(head) && !Files.readString(head).contains("\"dropped\":true")) {
        alive.add(String.valueOf(branch.getFileName()));
      }
    }
    assertThat(alive).as("heads").isEqualTo(listed);
    Await.until("topics of " + branches.database(), BOUND, () -> listed.containsAll(topics()));
  }

  private static Set<String> topics() throws IOException {
    Set<String> topics = new TreeSet<>();
    try (Stream<Path> paths = Files.walk(server.data().resolve("kafka"), 3)) {
      paths
          .map(path -> String.valueOf(path.getFileName()))
          .filter(name -> name.matches("ebb-wal-[^.]*-0"))
          .forEach(name -> topics.add(name.replaceFirst("^ebb-wal-(.*)-0$", "$1")));
    }
    return topics;
  }

  private static List<Path> children(Path directory) throws IOException {
    try (Stream<Path> paths = Files.list(directory)) {
      List<Path> children = new ArrayList<>(paths.toList());
      Collections.sort(children);
      return children;
    }
  }
}
