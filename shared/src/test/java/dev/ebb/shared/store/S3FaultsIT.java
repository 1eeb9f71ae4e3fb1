package dev.ebb.shared.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.store.FaultyProxy.Fault;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The contract, with every kind of fault at random; and each fault where it hurts most. */
final class S3FaultsIT extends ObjectStoreContract {
  private static final S3TestServer server = new S3TestServer();
  private static final long SEED = Long.getLong("ebb.seed", 20_261_122);

  private final S3Config direct = server.newBucket();
  private final FaultyProxy proxy = new FaultyProxy(server.endpoint());
  private boolean random = true;

  @AfterAll
  static void stopServer() {
    server.close();
  }

  @AfterEach
  void stopProxy() {
    proxy.close();
  }

  @Override
  ObjectStore open() {
    if (random) {
      proxy.plan(
          FaultyProxy.random(
              SEED,
              10,
              Fault.DROP_BEFORE,
              Fault.DROP_AFTER,
              Fault.DROP_AFTER,
              Fault.TRUNCATE,
              Fault.SLOW_DOWN,
              Fault.HANG_BEFORE,
              Fault.HANG_AFTER));
    }
    return new S3ObjectStore(behindProxy(10), 7);
  }

  private S3Config behindProxy(int attempts) {
    return new S3Config(
        proxy.endpoint(),
        direct.bucket(),
        direct.prefix(),
        direct.region(),
        direct.credentials(),
        new S3Config.Limits(1_000, 300, 5_000, attempts, S3Config.Limits.MIN_PART_BYTES));
  }

  /** A store with these faults and no others. */
  private ObjectStore with(FaultyProxy.Plan plan) {
    random = false;
    proxy.plan(plan);
    return open();
  }

  private S3ObjectStore directly() {
    return new S3ObjectStore(direct);
  }

  private static String text(Optional<ObjectStore.Stored> stored) {
    return new String(stored.orElseThrow().content(), StandardCharsets.UTF_8);
  }

  @Test
  void lostAnswerOfPutIfAbsentIsNoConflict() {
    for (Fault fault : new Fault[] {Fault.DROP_AFTER, Fault.HANG_AFTER, Fault.TRUNCATE}) {
      try (ObjectStore store = with(FaultyProxy.once(fault, "PUT"))) {
        ObjectStore.Version mine = store.putIfAbsent("a/" + fault, bytes("one")).orElseThrow();

        assertThat(store.get("a/" + fault).orElseThrow().version()).isEqualTo(mine);
        assertThat(store.putIfMatch("a/" + fault, bytes("two"), mine)).isPresent();
      }
    }
  }

  @Test
  void lostAnswerOfPutIfMatchIsNoConflict() {
    try (ObjectStore store = with((method, path) -> Fault.NONE)) {
      ObjectStore.Version first = store.put("a", bytes("one"));
      proxy.plan(FaultyProxy.once(Fault.DROP_AFTER, "PUT"));

      ObjectStore.Version second = store.putIfMatch("a", bytes("two"), first).orElseThrow();

      assertThat(store.get("a").orElseThrow().version()).isEqualTo(second);
      assertThat(store.putIfMatch("a", bytes("three"), first)).isEmpty();
    }
  }

  @Test
  void requestThatNeverArrivedIsNotMistakenForTheWinnersOfTheSameContent() {
    for (Fault fault : new Fault[] {Fault.DROP_BEFORE, Fault.HANG_BEFORE}) {
      try (ObjectStore store = with(raced(fault, "a/" + fault, "same", false))) {
        assertThat(store.putIfAbsent("a/" + fault, bytes("same"))).isEmpty();
      }
    }
  }

  @Test
  void writeThatHappenedAndWasOverwrittenIsASuccessWhoseVersionIsPast() {
    try (ObjectStore store = with(raced(Fault.DROP_AFTER, "a", "theirs", true))) {
      ObjectStore.Version mine = store.putIfAbsent("a", bytes("mine")).orElseThrow();

      assertThat(text(store.get("a"))).isEqualTo("theirs");
      assertThat(store.putIfMatch("a", bytes("again"), mine)).isEmpty();
    }
  }

  @Test
  void whatNobodyCanKnowIsSaidToBeUnknown() {
    try (ObjectStore store = with(beforeSecondPut(Fault.DROP_AFTER, other -> other.delete("a")))) {
      ObjectStore.Version first = store.put("a", bytes("one"));
      proxy.plan(beforeSecondPut(Fault.DROP_AFTER, other -> other.delete("a")));

      assertThatThrownBy(() -> store.putIfMatch("a", bytes("two"), first))
          .isInstanceOf(EbbException.Unavailable.class)
          .hasMessageContaining("it may or may not have happened");
    }
  }

  /** Somebody else writes between the first attempt, which fails, and the second. */
  private FaultyProxy.Plan raced(Fault fault, String key, String content, boolean over) {
    return beforeSecondPut(
        fault,
        other -> {
          if (over) {
            ObjectStore.Version now = other.get(key).orElseThrow().version();
            assertThat(other.putIfMatch(key, bytes(content), now)).isPresent();
          } else {
            assertThat(other.putIfAbsent(key, bytes(content))).isPresent();
          }
        });
  }

  private FaultyProxy.Plan beforeSecondPut(
      Fault first, java.util.function.Consumer<ObjectStore> action) {
    var puts = new AtomicInteger();
    return (method, path) -> {
      int number = method.equals("PUT") ? puts.incrementAndGet() : 0;
      if (number == 2) {
        try (ObjectStore other = directly()) {
          action.accept(other);
        }
      }
      return number == 1 ? first : Fault.NONE;
    };
  }

  @Test
  void truncatedAnswersAreReadAgain() {
    var content = new byte[100_000];
    new Random(1).nextBytes(content);
    try (ObjectStore store = with(FaultyProxy.once(Fault.TRUNCATE, "GET"))) {
      store.put("a", content);

      assertThat(store.get("a").orElseThrow().content()).isEqualTo(content);

      proxy.plan(FaultyProxy.once(Fault.TRUNCATE, "GET"));
      assertThat(store.getRange("a", 10, 50_000).orElseThrow())
          .isEqualTo(java.util.Arrays.copyOfRange(content, 10, 50_010));
      proxy.plan(FaultyProxy.once(Fault.TRUNCATE, "GET"));
      assertThat(store.list("")).hasSize(1);
    }
  }

  @Test
  void connectionsThatEndedWhileIdleCostNothing() {
    try (ObjectStore store = with((method, path) -> Fault.NONE)) {
      ObjectStore.Version version = store.put("a", bytes("0"));
      for (int i = 1; i <= 5; i++) {
        proxy.dropAll();
        version = store.putIfMatch("a", bytes("" + i), version).orElseThrow();
      }
      assertThat(text(store.get("a"))).isEqualTo("5");
    }
  }

  @Test
  void partsThatFailAreSentAgainAndTheLostEndOfAnUploadIsFound() throws Exception {
    var content = new byte[3 * S3Config.Limits.MIN_PART_BYTES + 17];
    new Random(2).nextBytes(content);
    var completions = new AtomicInteger();
    var parts = new AtomicInteger();
    FaultyProxy.Plan plan =
        (method, path) -> {
          if (path.contains("partNumber")) {
            return switch (parts.incrementAndGet()) {
              case 1 -> Fault.DROP_BEFORE;
              case 2 -> Fault.DROP_AFTER;
              case 3 -> Fault.SLOW_DOWN;
              default -> Fault.NONE;
            };
          }
          return path.contains("uploadId") && completions.incrementAndGet() == 1
              ? Fault.DROP_AFTER
              : Fault.NONE;
        };
    try (ObjectStore store = with(plan);
        S3ObjectStore direct = directly()) {
      ObjectStore.Version version = store.put("large", content);

      assertThat(parts.get()).isEqualTo(4 + 3);
      assertThat(completions.get()).isEqualTo(2);
      assertThat(direct.get("large").orElseThrow().content()).isEqualTo(content);
      assertThat(direct.get("large").orElseThrow().version()).isEqualTo(version);
      assertThat(direct.openUploads()).isZero();
    }
  }

  @Test
  void uploadThatFailsLeavesNothing() throws Exception {
    try (ObjectStore store =
            with((method, path) -> path.contains("partNumber=2") ? Fault.SLOW_DOWN : Fault.NONE);
        S3ObjectStore direct = directly()) {
      assertThatThrownBy(() -> store.put("large", new byte[2 * S3Config.Limits.MIN_PART_BYTES]))
          .isInstanceOf(EbbException.Unavailable.class)
          .hasMessageContaining("SlowDown");

      assertThat(direct.openUploads()).isZero();
      assertThat(direct.get("large")).isEmpty();
    }
  }

  @Test
  void storeThatNeverAnswersIsUnavailableInBoundedTime() {
    random = false;
    proxy.plan((method, path) -> Fault.HANG_BEFORE);
    try (var store = new S3ObjectStore(behindProxy(2))) {
      assertThatThrownBy(() -> store.get("a"))
          .isInstanceOf(EbbException.Unavailable.class)
          .hasMessageContaining("does not answer in time");
      assertThat(proxy.seen()).isEmpty(); // they hang still
    }
  }
}
