package dev.ebb.shared.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What every object store does. */
abstract class ObjectStoreContract {
  private final String dir = "contract/" + UUID.randomUUID() + "/";
  private ObjectStore store;

  /** A store; several of one test see the same objects. */
  abstract ObjectStore open() throws Exception;

  @BeforeEach
  void openStore() throws Exception {
    store = open();
  }

  @AfterEach
  void closeStore() {
    store.close();
  }

  static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static String text(Optional<ObjectStore.Stored> stored) {
    return new String(stored.orElseThrow().content(), StandardCharsets.UTF_8);
  }

  @Test
  void whatWasPutIsRead() {
    ObjectStore.Version version = store.put(dir + "a", bytes("one"));

    assertThat(text(store.get(dir + "a"))).isEqualTo("one");
    assertThat(store.get(dir + "a").orElseThrow().version()).isEqualTo(version);
  }

  @Test
  void emptyObjectIsNotAnAbsentOne() {
    store.put(dir + "empty", new byte[0]);

    assertThat(store.get(dir + "empty").orElseThrow().content()).isEmpty();
    assertThat(store.getRange(dir + "empty", 0, 0).orElseThrow()).isEmpty();
    assertThat(store.get(dir + "none")).isEmpty();
    assertThat(store.getRange(dir + "none", 0, 1)).isEmpty();
    assertThat(store.getRange(dir + "none", 0, 0)).isEmpty();
  }

  @Test
  void largeObjectComesBackWhole() {
    var content = new byte[9_000_001];
    new Random(1).nextBytes(content);

    store.put(dir + "large", content);

    assertThat(store.get(dir + "large").orElseThrow().content()).isEqualTo(content);
    assertThat(store.getRange(dir + "large", 8_999_999, 2).orElseThrow())
        .containsExactly(content[8_999_999], content[9_000_000]);
  }

  @Test
  void putOverwritesAndChangesTheVersion() {
    ObjectStore.Version first = store.put(dir + "a", bytes("one"));
    ObjectStore.Version second = store.put(dir + "a", bytes("two"));

    assertThat(second).isNotEqualTo(first);
    assertThat(text(store.get(dir + "a"))).isEqualTo("two");
  }

  @Test
  void rangeIsReadExactlyOrNotAtAll() {
    store.put(dir + "a", bytes("0123456789"));

    assertThat(store.getRange(dir + "a", 0, 10).orElseThrow()).isEqualTo(bytes("0123456789"));
    assertThat(store.getRange(dir + "a", 3, 4).orElseThrow()).isEqualTo(bytes("3456"));
    assertThat(store.getRange(dir + "a", 9, 1).orElseThrow()).isEqualTo(bytes("9"));
    assertThat(store.getRange(dir + "a", 10, 0).orElseThrow()).isEmpty();
    for (int[] outside : new int[][] {{0, 11}, {9, 2}, {10, 1}, {11, 0}, {1000, 5}}) {
      assertThatThrownBy(() -> store.getRange(dir + "a", outside[0], outside[1]))
          .isInstanceOf(EbbException.Corrupt.class);
    }
    assertThatThrownBy(() -> store.getRange(dir + "a", -1, 1))
        .isInstanceOf(EbbException.Invalid.class);
  }

  @Test
  void putIfAbsentWritesOnce() {
    assertThat(store.putIfAbsent(dir + "a", bytes("one"))).isPresent();
    assertThat(store.putIfAbsent(dir + "a", bytes("two"))).isEmpty();
    assertThat(text(store.get(dir + "a"))).isEqualTo("one");

    store.delete(dir + "a");
    assertThat(store.putIfAbsent(dir + "a", bytes("three"))).isPresent();
  }

  @Test
  void putIfMatchWritesOnlyOverTheExpectedVersion() {
    ObjectStore.Version first = store.put(dir + "a", bytes("one"));
    ObjectStore.Version second = store.putIfMatch(dir + "a", bytes("two"), first).orElseThrow();

    assertThat(store.putIfMatch(dir + "a", bytes("three"), first)).isEmpty();
    assertThat(text(store.get(dir + "a"))).isEqualTo("two");
    assertThat(store.putIfMatch(dir + "a", bytes("three"), second)).isPresent();
    assertThat(text(store.get(dir + "a"))).isEqualTo("three");
  }

  @Test
  void putIfMatchOfAnAbsentObjectWritesNothing() {
    ObjectStore.Version version = store.put(dir + "a", bytes("one"));
    store.delete(dir + "a");

    assertThat(store.putIfMatch(dir + "a", bytes("two"), version)).isEmpty();
    assertThat(store.get(dir + "a")).isEmpty();
  }

  @Test
  void deleteIsIdempotent() {
    store.put(dir + "a", bytes("one"));

    store.delete(dir + "a");
    store.delete(dir + "a");
    store.delete(dir + "never/was");

    assertThat(store.get(dir + "a")).isEmpty();
    assertThat(store.list(dir)).isEmpty();
  }

  @Test
  void listIsByPrefixAndInKeyOrder() {
    for (String key : List.of("x/b", "x/a-1", "x/a/1", "x/a0", "y", "x/a/0/deep")) {
      store.put(dir + key, bytes(key));
    }

    assertThat(store.list(dir + "x/"))
        .extracting(ObjectStore.Listed::key)
        .containsExactly(
            dir + "x/a-1", dir + "x/a/0/deep", dir + "x/a/1", dir + "x/a0", dir + "x/b");
    assertThat(store.list(dir + "x/a0"))
        .singleElement()
        .satisfies(listed -> {
          assertThat(listed.bytes()).isEqualTo(4);
          assertThat(listed.modifiedEpochMs())
              .isBetween(System.currentTimeMillis() - 120_000, System.currentTimeMillis() + 2_000);
        });
    assertThat(store.list(dir + "x/a")).hasSize(4);
    assertThat(store.list(dir + "nothing")).isEmpty();
  }

  @Test
  void listGoesOnPastOnePage() {
    for (int i = 0; i < 25; i++) {
      store.put(dir + "many/" + i, new byte[] {1});
    }

    assertThat(store.list(dir + "many/"))
        .hasSize(25)
        .extracting(ObjectStore.Listed::key)
        .doesNotHaveDuplicates()
        .isSorted();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "", "/", "/a", "a/", "a//b", "../a", "a/../b", "a/..", ".", "a/./b", ".tmp/x", "a\\b",
        "a b", "a\0b", "ä", "a*"
      })
  void keyThatIsNoneIsRefusedByEveryCall(String key) {
    byte[] content = bytes("x");
    var version = new ObjectStore.Version("x");
    List<Runnable> calls =
        List.of(
            () -> store.get(key),
            () -> store.getRange(key, 0, 1),
            () -> store.put(key, content),
            () -> store.putIfAbsent(key, content),
            () -> store.putIfMatch(key, content, version),
            () -> store.delete(key));
    for (Runnable call : calls) {
      assertThatThrownBy(call::run).isInstanceOf(EbbException.Invalid.class);
    }
    assertThatThrownBy(() -> store.get("a".repeat(513))).isInstanceOf(EbbException.Invalid.class);
    assertThatThrownBy(() -> store.list("../")).isInstanceOf(EbbException.Invalid.class);
  }

  @Test
  void concurrentCompareAndSetLosesNoUpdate() throws Exception {
    int threads = 4;
    int increments = 25;
    String key = dir + "counter";
    store.put(key, bytes("0"));
    List<Callable<Integer>> tasks = new ArrayList<>();
    for (int t = 0; t < threads; t++) {
      tasks.add(() -> {
        try (ObjectStore own = open()) {
          return increment(own, key, increments);
        }
      });
    }

    runAll(tasks);

    assertThat(text(store.get(key))).isEqualTo(Integer.toString(threads * increments));
  }

  static int increment(ObjectStore own, String key, int times) {
    int done = 0;
    while (done < times) {
      ObjectStore.Stored now = own.get(key).orElseThrow();
      int value = Integer.parseInt(new String(now.content(), StandardCharsets.UTF_8));
      if (own.putIfMatch(key, bytes(Integer.toString(value + 1)), now.version()).isPresent()) {
        done++;
      }
    }
    return done;
  }

  @Test
  void onlyOneOfManyConcurrentCreatorsWins() throws Exception {
    for (int round = 0; round < 10; round++) {
      String key = dir + "race/" + round;
      List<Callable<Boolean>> tasks = new ArrayList<>();
      for (int t = 0; t < 6; t++) {
        String mine = "creator " + t;
        tasks.add(() -> store.putIfAbsent(key, bytes(mine)).isPresent());
      }

      assertThat(runAll(tasks)).filteredOn(won -> won).hasSize(1);
    }
  }

  @Test
  void readersSeeWholeObjectsWhileTheyAreOverwritten() throws Exception {
    String key = dir + "whole";
    store.put(key, filled(0));
    List<Callable<Boolean>> tasks = new ArrayList<>();
    tasks.add(() -> {
      for (int i = 1; i <= 40; i++) {
        store.put(key, filled(i));
      }
      return true;
    });
    tasks.add(() -> {
      for (int i = 0; i < 40; i++) {
        byte[] seen = store.get(key).orElseThrow().content();
        for (byte b : seen) {
          if (b != seen[0]) {
            return false;
          }
        }
      }
      return true;
    });

    assertThat(runAll(tasks)).containsOnly(true);
  }

  private static byte[] filled(int value) {
    var content = new byte[50_000];
    java.util.Arrays.fill(content, (byte) value);
    return content;
  }

  private static <T> List<T> runAll(List<Callable<T>> tasks) throws Exception {
    try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<T> results = new ArrayList<>();
      for (Future<T> done : threads.invokeAll(tasks, 120, TimeUnit.SECONDS)) {
        results.add(done.get());
      }
      return results;
    }
  }
}
