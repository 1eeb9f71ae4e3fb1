package dev.ebb.launcher.story;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.ebb.launcher.client.ApiException;
import dev.ebb.shared.model.Lsn;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What people do with branches. */
final class BranchIT {
  private static final Duration BOUND = Duration.ofSeconds(30);
  private static final int CHILDREN = 20;

  @TempDir private static Path directory;
  private static Server server;
  private static int databases;

  private Database shop;
  private Branches branches;

  @BeforeAll
  static void start() throws Exception {
    server = new Server(directory, "compute.captureInterval: 2s").start();
    server.first().suspend();
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  @BeforeEach
  void create() throws Exception {
    shop = server.create("shop" + ++databases);
    branches = new Branches(server, shop.name());
  }

  @org.junit.jupiter.api.AfterEach
  void drop() throws Exception {
    server.api().send("DELETE", "/v1/databases/" + shop.name() + "?force=true", null);
  }

  @Test
  void writesOfNeitherSideAreSeenOnTheOther() throws Exception {
    shop.execute(
        "CREATE TABLE item (id serial PRIMARY KEY, name text)",
        "INSERT INTO item (name) SELECT 'old' FROM generate_series(1, 100)",
        "CREATE TABLE doomed (x int)",
        "CREATE UNLOGGED TABLE scratch AS SELECT generate_series(1, 10) x",
        "SELECT lo_from_bytea(4711, 'parent and child')");
    shop.suspend();
    Database dev = branches.create(shop, "dev");

    dev.execute(
        "INSERT INTO item (name) VALUES ('child')",
        "DROP TABLE doomed",
        "CREATE TABLE only_child (x int)",
        "ALTER TABLE item ADD COLUMN child_column int DEFAULT 7",
        "SELECT lo_put(4711, 0, 'CHILD!')",
        "SELECT lo_from_bytea(4712, 'only of the child')");
    shop.execute(
        "INSERT INTO item (name) VALUES ('parent'), ('parent')",
        "CREATE TABLE only_parent (x int)",
        "SELECT lo_put(4711, 0, 'PARENT')");

    String lists =
        "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class"
            + " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
    assertThat(dev.ask(lists)).isEqualTo("item only_child scratch");
    assertThat(shop.ask(lists)).isEqualTo("doomed item only_parent scratch");
    assertThat(dev.ask("SELECT string_agg(name, ' ') FROM item WHERE name <> 'old'"))
        .isEqualTo("child");
    assertThat(shop.ask("SELECT string_agg(name, ' ') FROM item WHERE name <> 'old'"))
        .isEqualTo("parent parent");
    assertThat(dev.ask("SELECT max(id) FROM item")).isEqualTo("101");
    assertThat(shop.ask("SELECT max(id) FROM item")).isEqualTo("102");
    assertThat(dev.ask("SELECT sum(child_column) FROM item")).isEqualTo("707");
    assertThat(largeObject(dev, 4711)).isEqualTo("CHILD! and child");
    assertThat(largeObject(shop, 4711)).isEqualTo("PARENT and child");
    assertThat(largeObject(dev, 4712)).isEqualTo("only of the child");
    assertThatThrownBy(() -> largeObject(shop, 4712)).hasMessageContaining("does not exist");
    assertThat(dev.ask("SELECT count(*) FROM scratch")).as("a clean stop keeps it").isEqualTo("10");
    assertThat(identifier(dev)).isNotEqualTo(identifier(shop));

    // Both sleep and come back, each with its own.
    dev.suspend();
    shop.suspend();
    assertThat(dev.ask("SELECT count(*) FROM item")).isEqualTo("101");
    assertThat(shop.ask("SELECT count(*) FROM item")).isEqualTo("102");
    Amcheck.assertSound(dev);
  }

  private static String largeObject(Database database, int number) throws SQLException {
    return database.ask("SELECT convert_from(lo_get(" + number + "), 'UTF8')");
  }

  private static String identifier(Database database) throws Exception {
    try (Connection admin = database.connectAsAdmin()) {
      return Database.ask(admin, "SELECT system_identifier FROM pg_control_system()");
    }
  }

  @Test
  void unloggedTableOfARunningParentIsEmptyAsBehindACrash() throws Exception {
    shop.execute(
        "CREATE UNLOGGED TABLE scratch AS SELECT generate_series(1, 10) x",
        "CREATE TABLE kept AS SELECT generate_series(1, 10) x");

    Database dev = branches.create(shop, "dev");

    assertThat(dev.ask("SELECT count(*) FROM kept")).isEqualTo("10");
    assertThat(dev.ask("SELECT count(*) FROM scratch")).isEqualTo("0");
    assertThat(shop.ask("SELECT count(*) FROM scratch")).isEqualTo("10");
  }

  @Test
  void preparedTransactionOfTheParentIsRolledBackInTheChildAlone() throws Exception {
    assumeThat(shop.ask("SHOW max_prepared_transactions")).isNotEqualTo("0");
    shop.execute(
        "CREATE TABLE entry (number int)",
        "BEGIN; INSERT INTO entry VALUES (1); PREPARE TRANSACTION 'it''s'");

    Database dev = branches.create(shop, "dev");

    Await.until(
        "no prepared transaction in the child",
        BOUND,
        () -> dev.ask("SELECT count(*) FROM pg_prepared_xacts").equals("0"));
    assertThat(dev.ask("SELECT count(*) FROM entry")).isEqualTo("0");
    shop.execute("COMMIT PREPARED 'it''s'");
    assertThat(shop.ask("SELECT count(*) FROM entry")).isEqualTo("1");
    assertThat(dev.ask("SELECT count(*) FROM entry")).isEqualTo("0");
  }

  @Test
  void childOfABusyParentHasEveryAcknowledgedRow() throws Exception {
    shop.execute("CREATE TABLE entry (number int PRIMARY KEY, payload text)");
    try (var writers = new RowWriters(shop, 4)) {
      for (String name : List.of("a", "b", "c")) {
        writers.awaitMore(200, BOUND);
        BitSet before = writers.copy();
        Database child = branches.create(shop, name);
        int after = writers.issued();

        int rows = Integer.parseInt(child.ask("SELECT count(*) FROM entry"));
        assertThat(rows).isBetween(before.cardinality(), after);
        assertThat(writers.missingAmong(child, before)).isEmpty();
        Amcheck.assertSound(child);
        // A child's child, of a running child whose log began with a copy.
        child.execute("INSERT INTO entry VALUES (-1, 'child')");
        Database grandchild = branches.create(shop, name + "-fix", name, null);
        assertThat(grandchild.ask("SELECT count(*) FROM entry"))
            .isEqualTo(String.valueOf(rows + 1));
        grandchild.suspend();
        child.suspend();
      }
      assertThat(writers.failures()).as("the parent was not disturbed").isEmpty();
    }
    assertThat(shop.ask("SELECT count(*) FROM entry WHERE number < 0")).isEqualTo("0");
    Amcheck.assertSound(shop);
  }

  @Test
  void pointInThePastIsCutAtACommitByPositionAndByTime() throws Exception {
    shop.execute("CREATE TABLE entry (number int)");
    List<String> lsns = new ArrayList<>();
    List<String> times = new ArrayList<>();
    for (int part = 0; part < 3; part++) {
      Set<String> known = manifests();
      try (Connection connection = shop.connect();
          Statement statement = connection.createStatement()) {
        for (int i = 0; i < 60; i++) {
          statement.execute("INSERT INTO entry VALUES (" + lsns.size() + ")");
          lsns.add(Database.ask(connection, "SELECT pg_current_wal_lsn()"));
          times.add(Database.ask(connection, "SELECT clock_timestamp()"));
          statement.execute("BEGIN; INSERT INTO entry VALUES (-1); ROLLBACK");
        }
      }
      // Snapshots in between: one of a clean stop, some of the running compute.
      if (part == 0) {
        shop.suspend();
      } else {
        Await.until("a capture", Duration.ofSeconds(30), () -> !known.containsAll(manifests()));
      }
    }
    int n = 0;
    for (int i : List.of(3, 59, 60, 61, 118, 150, 179)) {
      assertThat(rowsOf(branches.create(shop, "lsn" + n, "main", lsns.get(i))))
          .as("at %s, after row %d", lsns.get(i), i)
          .isEqualTo(i + 1);
      assertThat(rowsOf(branches.create(shop, "time" + n, "main", times.get(i))))
          .as("at %s, after row %d", times.get(i), i)
          .isEqualTo(i + 1);
      n++;
    }
    for (String outside : List.of("0/100000", "2020-01-01T00:00:00Z", "-30d")) {
      assertThatThrownBy(() -> branches.create(shop, "outside", "main", outside))
          .isInstanceOf(ApiException.class)
          .hasMessageContaining("lies outside of the window of " + shop.name() + "@main");
    }
    assertThatThrownBy(() -> branches.create(shop, "ahead", "main", "7/0"))
        .hasMessageContaining("lies ahead of all that");
    assertThatThrownBy(() -> branches.create(shop, "ahead", "main", "2999-01-01T00:00:00Z"))
        .hasMessageContaining("lies in the future");
    assertThat(branches.list()).doesNotContainKeys("outside", "ahead");
  }

  /** Of all branches, by their names. */
  private static Set<String> manifests() throws IOException {
    var names = new HashSet<String>();
    try (Stream<Path> branches = Files.list(server.store().resolve("branches"))) {
      for (Path branch : branches.toList()) {
        String[] found = branch.resolve("manifests").toFile().list();
        names.addAll(found == null ? List.of() : List.of(found));
      }
    }
    return names;
  }

  @Test
  void earliestPointIsToldAndTheDatabaseAndItsOwnerAreThere() throws Exception {
    shop.execute("CREATE TABLE entry (number int)");
    Matcher told = Pattern.compile("its earliest point is (\\S+) \\((\\S+)\\)").matcher("");
    assertThatThrownBy(() -> branches.create(shop, "outside", "main", "0/100000"))
        .hasMessageContaining("lies outside of the window of " + shop.name() + "@main")
        .satisfies(refused -> assertThat(told.reset(refused.getMessage()).find()).isTrue());

    for (int i = 1; i <= 2; i++) {
      Database first = branches.create(shop, "first" + i, "main", told.group(i));
      assertThat(first.ask("SELECT current_user")).as(told.group(i)).isEqualTo("app");
      assertThat(first.ask("SELECT count(*) FROM pg_class WHERE relname = 'entry'")).isEqualTo("0");
      first.suspend();
    }
    String before = Lsn.parse(told.group(2)).plus(-1).toString();
    assertThatThrownBy(() -> branches.create(shop, "outside", "main", before))
        .hasMessageContaining("its earliest point is " + told.group(1));
  }

  private static int rowsOf(Database database) throws Exception {
    int rows = Integer.parseInt(database.ask("SELECT count(*) FROM entry WHERE number >= 0"));
    database.suspend();
    return rows;
  }

  @Test
  void suspendRightBehindAWakeIsAsCleanAsAnyOther() throws Exception {
    shop.execute("CREATE TABLE kept (x int)", "INSERT INTO kept VALUES (1)");
    shop.suspend();
    for (int i = 0; i < 10; i++) {
      shop.wake();
      // The receiver may not be there yet: fails where the log then misses the last checkpoint.
      shop.suspend();
      assertThat(shop.state()).isEqualTo("suspended");
    }
    assertThat(shop.ask("SELECT x FROM kept")).isEqualTo("1");
  }

  @Test
  void manyChildrenOfOneParentAreIndependentAndOutliveIt() throws Exception {
    shop.execute("CREATE TABLE entry AS SELECT generate_series(1, 1000) number");
    Database dev = branches.create(shop, "dev");
    dev.execute("INSERT INTO entry VALUES (0)");
    dev.suspend();
    List<Database> children = new ArrayList<>();
    for (int i = 0; i < CHILDREN; i++) {
      children.add(branches.create(shop, "c" + i, "dev", null));
    }
    for (int i = 0; i < CHILDREN; i++) {
      Database child = children.get(i);
      child.execute("INSERT INTO entry SELECT generate_series(2001, 2000 + " + i + ")");
      child.suspend();
    }
    assertThatThrownBy(() -> branches.drop("dev", false))
        .hasMessageContaining("has children: " + shop.name() + "@c0");

    branches.drop("dev", true);
    shop.execute("DROP TABLE entry");
    shop.suspend();

    for (int i = 0; i < CHILDREN; i++) {
      Database child = children.get(i);
      assertThat(child.ask("SELECT count(*) FROM entry")).isEqualTo(String.valueOf(1_001 + i));
      child.suspend();
    }
    assertThat(branches.field("c7", "parent")).isEqualTo("main");
    branches.create(shop, "again", "c7", null).execute("INSERT INTO entry VALUES (1)");
    assertThatThrownBy(() -> shop.at("dev").connect()).hasMessageContaining("does not exist");
  }

  @Test
  void restoreEndsSessionsKeepsTheOldHeadAndNothingIsWrittenThereAfterwards() throws Exception {
    shop.execute("CREATE TABLE entry (number int PRIMARY KEY, payload text)");
    String kept;
    try (var writers = new RowWriters(shop, 3);
        Connection idle = shop.connect()) {
      writers.awaitMore(100, BOUND);
      String point = Database.ask(idle, "SELECT clock_timestamp()");
      writers.awaitMore(100, BOUND);

      kept = branches.restore("main", point);

      assertThatThrownBy(() -> Database.ask(idle, "SELECT 1")).isInstanceOf(SQLException.class);
      int restored = writers.issued();
      writers.awaitMore(50, BOUND);
      writers.stop();
      // Whoever came back by the name came to the new branch, from the first row on.
      Database old = shop.at(kept);
      assertThat(old.ask("SELECT count(*) FROM entry WHERE number > " + restored)).isEqualTo("0");
      assertThat(writers.missingOf(List.of(shop, old))).as("acknowledged, but nowhere").isEmpty();
      assertThat(writers.acknowledgedAfter(restored).cardinality()).isPositive();
      assertThat(writers.missingAmong(shop, writers.acknowledgedAfter(restored))).isEmpty();
    }
    assertThat(kept).startsWith("main-before-");
    assertThat(shop.ask("SELECT count(*) FROM entry")).isNotEqualTo("0");
    assertThat(branches.field("main", "parent")).isEqualTo(kept);
    // And back again.
    String before = branches.restore("main", "-0s");
    assertThat(branches.list()).containsKeys("main", kept, before);
  }

  @Test
  void resetIsTheParentsHeadAgain() throws Exception {
    shop.execute("CREATE TABLE entry AS SELECT 1 number");
    Database dev = branches.create(shop, "dev");
    dev.execute("UPDATE entry SET number = 2", "CREATE TABLE other (x int)");
    shop.execute("UPDATE entry SET number = 3");
    try (Connection session = dev.connect()) {
      branches.reset("dev");
      assertThatThrownBy(() -> Database.ask(session, "SELECT 1")).isInstanceOf(SQLException.class);
    }

    assertThat(dev.ask("SELECT number FROM entry")).isEqualTo("3");
    assertThat(branches.list().keySet()).containsExactly("dev", "main");
    assertThatThrownBy(() -> branches.reset("main")).hasMessageContaining("has no parent");
  }

  @Test
  void renamedBranchKeepsItsSessionsAndTheOldNameIsFree() throws Exception {
    shop.execute("CREATE TABLE entry AS SELECT 1 number");
    Database dev = branches.create(shop, "dev");
    try (Connection session = dev.connect()) {
      assertThat(Database.ask(session, "SELECT number FROM entry")).isEqualTo("1");

      branches.rename("dev", "stage");
      branches.create(shop, "dev").execute("UPDATE entry SET number = 2");

      assertThat(Database.ask(session, "UPDATE entry SET number = 3 RETURNING number"))
          .isEqualTo("3");
      assertThat(shop.at("stage").ask("SELECT number FROM entry")).isEqualTo("3");
      assertThat(dev.ask("SELECT number FROM entry")).isEqualTo("2");
    }
    assertThat(server.computes())
        .extracting(compute -> String.valueOf(compute.get("branch")))
        .contains("stage", "dev");
  }

  @Test
  void protectedBranchIsNeitherDroppedNorResetNorItsDatabaseDropped() throws Exception {
    branches.create(shop, "dev");
    branches.protect("dev");

    for (org.assertj.core.api.ThrowableAssert.ThrowingCallable refused :
        List.<org.assertj.core.api.ThrowableAssert.ThrowingCallable>of(
            () -> branches.drop("dev", true),
            () -> branches.reset("dev"),
            () -> server.api().send("DELETE", "/v1/databases/" + shop.name(), null))) {
      assertThatThrownBy(refused)
          .isInstanceOf(ApiException.Refused.class)
          .hasMessageContaining("protected");
    }
    assertThatThrownBy(() -> branches.drop("main", true)).hasMessageContaining("cannot be dropped");
  }

  @Test
  void listTellsSizesAndWhoComputes() throws Exception {
    shop.execute("CREATE TABLE entry AS SELECT repeat('x', 500) FROM generate_series(1, 20000)");
    shop.suspend();
    Database dev = branches.create(shop, "dev");
    dev.wake();

    String main = branches.field("main", "logicalBytes");
    assertThat(Long.parseLong(main)).isGreaterThan(10_000_000);
    assertThat(branches.field("dev", "logicalBytes")).isEqualTo(main);
    assertThat(Long.parseLong(branches.field("dev", "ownBytes"))).isLessThan(10_000);
    assertThat(branches.field("dev", "host")).isNotEmpty();
    assertThat(branches.field("main", "host")).isEmpty();
  }
}
