package dev.ebb.shared.catalog;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Cidr;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.PostgresMajor;
import dev.ebb.shared.store.InMemoryObjectStore;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;

final class CatalogTest {
  private static final DatabaseId ID = new DatabaseId("db1");

  private final InMemoryObjectStore store = new InMemoryObjectStore();
  private final Catalog catalog = new Catalog(store);

  private static DatabaseRecord database(String name, DatabaseId id) {
    return new DatabaseRecord(
        4,
        id,
        name,
        "app",
        DatabaseRecord.State.CREATING,
        1_700_000_000_000L,
        new PostgresMajor(15),
        Map.of(
            "main",
            BranchRecord.first(new BranchId("b1"), 1_700_000_000_000L),
            "dev",
            new BranchRecord(
                new BranchId("b2"),
                BranchRecord.State.READY,
                new BranchId("b1"),
                Lsn.parse("0/16B3748"),
                1_700_000_000_001L,
                true,
                2)));
  }

  @Test
  void databaseLivesFromCreatingToRemoved() {
    catalog.create(database("shop", ID));
    assertThat(catalog.find("shop")).contains(database("shop", ID));

    assertThat(catalog.markReady("shop", ID).state()).isEqualTo(DatabaseRecord.State.READY);
    assertThat(catalog.markReady("shop", ID).state()).isEqualTo(DatabaseRecord.State.READY);
    assertThat(catalog.markDropping("shop", ID).state()).isEqualTo(DatabaseRecord.State.DROPPING);
    assertThatThrownBy(() -> catalog.markReady("shop", ID))
        .isInstanceOf(EbbException.Conflict.class);

    catalog.remove("shop", ID);
    catalog.remove("shop", ID);
    assertThat(catalog.find("shop")).isEmpty();
    assertThat(catalog.list()).isEmpty();
  }

  @Test
  void takenNameIsConflictExceptForTheSameRecord() {
    catalog.create(database("shop", ID));
    catalog.create(database("shop", ID));

    assertThatThrownBy(() -> catalog.create(database("shop", new DatabaseId("db2"))))
        .isInstanceOf(EbbException.Conflict.class)
        .hasMessageContaining("exists already");
  }

  /** Whoever needs all databases, a collection above all, would else fail for good. */
  @Test
  void whatCannotBeADatabaseIsNotListed() {
    catalog.create(database("shop", ID));
    store.put("catalog/databases/Notes.txt", new byte[] {1});

    assertThat(catalog.names()).containsExactly("shop");
    assertThat(catalog.list()).containsExactly(database("shop", ID));
  }

  @Test
  void oneOfManyConcurrentCreatorsWins() throws Exception {
    try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Callable<Boolean>> creators =
          java.util.stream.IntStream.range(0, 8)
              .<Callable<Boolean>>mapToObj(i ->
                  () -> {
                    try {
                      catalog.create(database("shop", new DatabaseId("db" + i)));
                      return true;
                    } catch (EbbException.Conflict e) {
                      return false;
                    }
                  })
              .toList();
      int winners = 0;
      for (var creator : threads.invokeAll(creators)) {
        winners += creator.get() ? 1 : 0;
      }
      assertThat(winners).isEqualTo(1);
    }
  }

  @Test
  void laterDatabaseOfTheNameIsNotTouchedForAnEarlierOne() {
    catalog.create(database("shop", ID));
    var earlier = new DatabaseId("earlier");

    assertThatThrownBy(() -> catalog.markDropping("shop", earlier))
        .isInstanceOf(EbbException.NotFound.class);
    catalog.remove("shop", earlier);
    assertThat(catalog.find("shop")).isPresent();
    assertThatThrownBy(() -> catalog.remove("shop", ID)).isInstanceOf(EbbException.Conflict.class);
  }

  @Test
  void listIsByName() {
    for (String name : List.of("b", "a", "c")) {
      catalog.create(database(name, DatabaseId.random()));
    }

    assertThat(catalog.list()).extracting(DatabaseRecord::name).containsExactly("a", "b", "c");
  }

  @Test
  void nameThatIsNoneIsInvalid() {
    assertThatThrownBy(() -> catalog.find("../x")).isInstanceOf(EbbException.Invalid.class);
    assertThatThrownBy(() -> catalog.create(database("A", ID)))
        .isInstanceOf(EbbException.Invalid.class);
  }

  /** The stored form is for ever: other programs read it, and later versions must. */
  @Test
  void databaseIsStoredInThisForm() {
    catalog.create(database("shop", ID));

    byte[] stored = store.get("catalog/databases/shop").orElseThrow().content();
    assertThat(new String(stored, StandardCharsets.UTF_8))
        .isEqualTo(
            "{\"formatVersion\":4,\"id\":\"db1\",\"name\":\"shop\",\"owner\":\"app\","
                + "\"state\":\"CREATING\",\"createdEpochMs\":1700000000000,\"postgres\":15,"
                + "\"branches\":{\"dev\":{\"id\":\"b2\",\"state\":\"READY\",\"parent\":\"b1\","
                + "\"forkLsn\":\"0/16B3748\",\"createdEpochMs\":1700000000001,\"protected\":true,"
                + "\"replicas\":2},"
                + "\"main\":{\"id\":\"b1\",\"state\":\"READY\",\"parent\":null,"
                + "\"forkLsn\":\"0/0\",\"createdEpochMs\":1700000000000,\"protected\":false,"
                + "\"replicas\":0}}}");
  }

  @Test
  void firstVersionKnewBranchesByTheirIdsAlone() {
    store.put(
        "catalog/databases/shop",
        ("{\"formatVersion\":1,\"id\":\"db1\",\"name\":\"shop\",\"owner\":\"app\","
                + "\"state\":\"READY\",\"createdEpochMs\":17,\"branches\":{\"main\":\"b1\"}}")
            .getBytes(StandardCharsets.UTF_8));

    assertThat(catalog.find("shop").orElseThrow().branches())
        .isEqualTo(Map.of("main", BranchRecord.first(new BranchId("b1"), 17)));
  }

  @Test
  void secondVersionKnewOneMajorAlone() {
    store.put(
        "catalog/databases/shop",
        ("{\"formatVersion\":2,\"id\":\"db1\",\"name\":\"shop\",\"owner\":\"app\","
                + "\"state\":\"READY\",\"createdEpochMs\":17,\"branches\":{}}")
            .getBytes(StandardCharsets.UTF_8));

    assertThat(catalog.find("shop").orElseThrow().postgres()).isEqualTo(new PostgresMajor(18));
  }

  @Test
  void thirdVersionKnewNoReplicas() {
    store.put(
        "catalog/databases/shop",
        ("{\"formatVersion\":3,\"id\":\"db1\",\"name\":\"shop\",\"owner\":\"app\","
                + "\"state\":\"READY\",\"createdEpochMs\":17,\"postgres\":15,\"branches\":"
                + "{\"main\":{\"id\":\"b1\",\"state\":\"READY\",\"parent\":null,"
                + "\"forkLsn\":\"0/0\",\"createdEpochMs\":17,\"protected\":true}}}")
            .getBytes(StandardCharsets.UTF_8));

    assertThat(catalog.find("shop").orElseThrow().tree().require("main").replicas()).isZero();
  }

  @Test
  void historyOfAFirstBranchBeginsWhereItsDatabaseWasMade() {
    catalog.create(
        DatabaseRecord.creating(ID, "shop", "app", 1_700_000_000_000L, new BranchId("b1")));

    BranchRecord main =
        catalog
            .markReady("shop", ID, Lsn.parse("0/16B3748"), 1_700_000_000_009L)
            .branches()
            .get("main");

    assertThat(main)
        .isEqualTo(
            new BranchRecord(
                new BranchId("b1"),
                BranchRecord.State.READY,
                null,
                Lsn.parse("0/16B3748"),
                1_700_000_000_009L,
                false,
                0));
    assertThat(catalog.markReady("shop", ID, new Lsn(9), 9).branches()).containsValue(main);
  }

  @Test
  void concurrentChangesOfBranchesAreAllMade() throws Exception {
    catalog.create(database("shop", ID));
    catalog.markReady("shop", ID);

    try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Callable<DatabaseRecord>> changes =
          java.util.stream.IntStream.range(0, 8)
              .<Callable<DatabaseRecord>>mapToObj(i ->
                  () ->
                      catalog.changeBranches(
                          "shop",
                          ID,
                          tree ->
                              tree.add(
                                  "b" + i,
                                  BranchRecord.creating(
                                      new BranchId("new" + i), new BranchId("b1"), i))))
              .toList();
      for (var change : threads.invokeAll(changes)) {
        change.get();
      }
    }

    assertThat(catalog.find("shop").orElseThrow().branches()).hasSize(10);
  }

  @Test
  void branchesChangeInReadyDatabasesOnly() {
    catalog.create(database("shop", ID));
    assertThatThrownBy(() -> catalog.changeBranches("shop", ID, tree -> tree))
        .isInstanceOf(EbbException.Conflict.class)
        .hasMessageContaining("still being created");

    catalog.markReady("shop", ID);
    assertThatThrownBy(() -> catalog.markDropping("shop", ID, false))
        .isInstanceOf(EbbException.Conflict.class)
        .hasMessageContaining("protected branches (dev)");
    catalog.markDropping("shop", ID, true);
    assertThatThrownBy(() -> catalog.changeBranches("shop", ID, tree -> tree))
        .isInstanceOf(EbbException.Conflict.class)
        .hasMessageContaining("being dropped");
  }

  @Test
  void newerOrDamagedRecordIsNamed() {
    store.put("catalog/databases/new", "{\"formatVersion\":6}".getBytes(StandardCharsets.UTF_8));
    assertThatThrownBy(() -> catalog.find("new"))
        .isInstanceOf(EbbException.Unavailable.class)
        .hasMessageContaining("catalog/databases/new has format 6");

    for (String damaged :
        List.of(
            "",
            "{",
            "[]",
            "null",
            "{\"formatVersion\":\"1\"}",
            "{\"formatVersion\":0}",
            "{\"formatVersion\":1,\"id\":\"db1\"}",
            "{\"formatVersion\":1,\"id\":\"../\",\"name\":\"a\",\"owner\":\"a\",\"state\":\"READY\","
                + "\"createdEpochMs\":1,\"branches\":{}}",
            "{\"formatVersion\":1,\"id\":\"a\",\"name\":\"a\",\"owner\":\"a\",\"state\":\"ODD\","
                + "\"createdEpochMs\":1,\"branches\":{}}",
            "{\"formatVersion\":3,\"id\":\"a\",\"name\":\"a\",\"owner\":\"a\",\"state\":\"READY\","
                + "\"createdEpochMs\":1,\"postgres\":0,\"branches\":{}}")) {
      store.put("catalog/databases/bad", damaged.getBytes(StandardCharsets.UTF_8));
      assertThatThrownBy(() -> catalog.find("bad"))
          .as(damaged)
          .isInstanceOf(EbbException.Corrupt.class)
          .hasMessageContaining("catalog/databases/bad");
    }
  }

  @Test
  void allowedAddressesAreKeptThroughEveryOtherChange() {
    catalog.create(database("shop", ID));
    List<Cidr> allowed = List.of(Cidr.parse("10.0.0.0/8"), Cidr.parse("2001:db8::/32"));

    assertThat(catalog.allow("shop", allowed).allowed()).isEqualTo(allowed);
    assertThat(stored("shop")).contains("\"formatVersion\":5");
    assertThat(catalog.markReady("shop", ID).allowed()).isEqualTo(allowed);
    assertThat(catalog.find("shop").orElseThrow().allowed()).isEqualTo(allowed);
    assertThat(catalog.allow("shop", List.of()).allowed()).isEmpty();
    assertThat(stored("shop")).contains("\"formatVersion\":4").doesNotContain("allowed");
    assertThatThrownBy(() -> catalog.allow("other", allowed))
        .isInstanceOf(EbbException.NotFound.class);
    catalog.markDropping("shop", ID);
    assertThatThrownBy(() -> catalog.allow("shop", allowed))
        .isInstanceOf(EbbException.Conflict.class);
  }

  private String stored(String name) {
    return new String(
        store.get("catalog/databases/" + name).orElseThrow().content(), StandardCharsets.UTF_8);
  }
}
