package dev.ebb.computeservice.blockmap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.computeservice.blockmap.FileStatus.Phase;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest.BlockFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Real PostgreSQL on a skeleton without any relation file, under the page shim. */
final class PageShimIT {

  private static final String FINGERPRINT =
      "SELECT count(*), sum(hashtext(t::text)::bigint) FROM %s t";

  private static Path store = Path.of("");
  private static List<String> itemsFingerprint = List.of();

  @BeforeAll
  static void fillTheStore() throws Exception {
    store = TestPostgres.get().initdb();
    try (TestServer server = TestServer.start(store, Map.of(), List.of(), List.of())) {
      server.query(
          "postgres",
          "CREATE EXTENSION amcheck",
          "CREATE TABLE items(id int PRIMARY KEY, grp int, body text)",
          "INSERT INTO items SELECT i, i % 97, repeat(md5(i::text), 6)"
              + " FROM generate_series(1, 40000) i",
          "CREATE INDEX ON items(grp)",
          "CREATE TABLE doomed AS SELECT * FROM items WHERE id < 3000",
          "CREATE TABLE emptied AS SELECT * FROM items WHERE id < 3000",
          "CREATE UNLOGGED TABLE fleeting AS SELECT * FROM items WHERE id < 500",
          "VACUUM ANALYZE");
      server.query("postgres", "CREATE DATABASE unused TEMPLATE template0");
      itemsFingerprint = server.query("postgres", FINGERPRINT.formatted("items"));
      server.stop();
    }
  }

  @Test
  void aSkeletonAnswersAsTheStoreDoesAndFetchesOnlyWhatIsTouched() throws Exception {
    try (TestCompute compute = TestCompute.of(store)) {
      try (TestServer server = compute.start()) {
        assertThat(compute.map.files())
            .filteredOn(f -> f.phase() == Phase.VIRTUAL)
            .hasSizeGreaterThan(500);
        assertThat(server.query("postgres", FINGERPRINT.formatted("items")))
            .isEqualTo(itemsFingerprint);
        int fetches = compute.fetches.get();
        assertThat(server.query("postgres", FINGERPRINT.formatted("items")))
            .isEqualTo(itemsFingerprint);
        assertThat(compute.fetches.get()).isEqualTo(fetches);
        assertThat(compute.map.statistics().errors()).isZero();
        server.stop();
      }
    }
  }

  @Test
  void ioWorkersAndParallelScansHydrateToo() throws Exception {
    try (TestCompute compute = TestCompute.of(store)) {
      try (TestServer server =
          compute.start(
              "io_method=worker",
              "io_workers=3",
              "min_parallel_table_scan_size=0",
              "parallel_setup_cost=0",
              "max_parallel_workers_per_gather=3")) {
        assertThat(server.query("postgres", FINGERPRINT.formatted("items")))
            .isEqualTo(itemsFingerprint);
        assertThat(compute.map.statistics().errors()).isZero();
        server.stop();
      }
    }
  }

  @Test
  void programsThatPostgresStartsRunWithoutTheShim() throws Exception {
    try (TestCompute compute = TestCompute.of(store)) {
      try (TestServer server = compute.start()) {
        assertThat(
                server.query(
                    "postgres",
                    "CREATE TABLE said(line text)",
                    "COPY said FROM PROGRAM 'echo \"<$LD_PRELOAD>\"'",
                    "SELECT line FROM said"))
            .containsExactly("<>");
      }
    }
  }

  @Test
  void databaseSizesCountFilesThatAreNotOnTheDiskYet() throws Exception {
    try (TestCompute compute = TestCompute.of(store)) {
      try (TestServer server = compute.start()) {
        long expected = 0;
        int oid =
            Integer.parseInt(
                server
                    .query(
                        "postgres", "SELECT oid::int FROM pg_database WHERE datname = 'template0'")
                    .getFirst());
        try (var listing = Files.list(store.resolve("base/" + oid))) {
          for (Path file : listing.toList()) {
            expected += Files.size(file);
          }
        }
        assertThat(server.query("postgres", "SELECT pg_database_size('template0')"))
            .containsExactly(Long.toString(expected));
      }
    }
  }

  @Test
  void aCaptureAfterEveryKindOfChangeRestoresTheSameCluster() throws Exception {
    try (TestCompute compute = TestCompute.of(store)) {
      List<String> fingerprints;
      try (TestServer server = compute.start()) {
        changeEverything(server);
        check(server);
        fingerprints = fingerprints(server);
        server.stop();
      }
      assertThat(compute.map.statistics().errors()).isZero();
      assertThat(compute.map.statistics().adopted()).isZero();
      assertEveryChangedBlockIsDirty(compute);
      Path restored = compute.restore();
      assertThat(compute.map.dirtyFiles())
          .allSatisfy(f -> assertThat(f.blocks()).isGreaterThanOrEqualTo(0));
      try (TestServer server = TestServer.start(restored, Map.of(), List.of(), List.of())) {
        assertThat(fingerprints(server)).isEqualTo(fingerprints);
        check(server);
        server.stop();
      }
    }
  }

  private static void changeEverything(TestServer server) throws Exception {
    server.query("postgres", "CREATE DATABASE by_wal TEMPLATE template0 STRATEGY wal_log");
    server.query("postgres", "CREATE DATABASE by_files TEMPLATE postgres STRATEGY file_copy");
    server.query(
        "postgres",
        "INSERT INTO items SELECT i, i % 7, md5(i::text) FROM generate_series(50001, 60000) i",
        "UPDATE items SET body = 'short' WHERE grp = 5",
        "DELETE FROM items WHERE id BETWEEN 20000 AND 25000",
        "TRUNCATE emptied",
        "INSERT INTO emptied SELECT * FROM items WHERE id < 100",
        "DROP TABLE doomed",
        "CREATE TABLE fresh(id bigint, body text)",
        "INSERT INTO fresh SELECT i, repeat('x', 200) FROM generate_series(1, 20000) i",
        "CREATE INDEX fresh_hash ON fresh USING hash (id)",
        "CREATE INDEX fresh_btree ON fresh (id)",
        "CREATE INDEX items_body ON items (md5(body))",
        "DELETE FROM fresh WHERE id > 5000",
        "VACUUM (TRUNCATE) fresh",
        "INSERT INTO fresh SELECT i, 'again' FROM generate_series(6000, 16000) i",
        "VACUUM FULL items",
        "CHECKPOINT",
        "CLUSTER fresh USING fresh_btree",
        "REINDEX TABLE items",
        "VACUUM FULL pg_class",
        "ALTER TABLE emptied SET UNLOGGED",
        "ALTER TABLE emptied SET LOGGED",
        "SELECT count(*) FROM items");
    server.query("by_files", "UPDATE items SET grp = 0 WHERE id < 1000", "VACUUM");
    server.query("by_wal", "CREATE TABLE t AS SELECT generate_series(1, 1000) AS a");
    server.query("postgres", "CREATE DATABASE gone TEMPLATE template0 STRATEGY file_copy");
    server.query("postgres", "DROP DATABASE gone");
    server.query(
        "postgres",
        "SET file_copy_method = clone",
        "CREATE DATABASE by_clone TEMPLATE by_files STRATEGY file_copy");
    server.query("postgres", "DROP DATABASE unused");
  }

  private static void check(TestServer server) throws Exception {
    for (String database : List.of("postgres", "by_files", "by_clone")) {
      server.query(
          database,
          "SELECT bt_index_check(c.oid, true) FROM pg_class c JOIN pg_am a ON a.oid = c.relam"
              + " WHERE a.amname = 'btree' AND c.relkind = 'i' AND c.relpersistence = 'p'");
      assertThat(
              server.query(
                  database,
                  "SELECT c.relname, v.* FROM pg_class c, LATERAL verify_heapam(c.oid) v"
                      + " WHERE c.relkind IN ('r', 'm', 't') AND c.relpersistence = 'p'"))
          .isEmpty();
    }
  }

  private static List<String> fingerprints(TestServer server) throws Exception {
    List<String> all = new java.util.ArrayList<>();
    for (String table : List.of("items", "emptied", "fresh", "fleeting")) {
      all.addAll(server.query("postgres", FINGERPRINT.formatted(table)));
    }
    all.addAll(server.query("by_files", FINGERPRINT.formatted("items")));
    all.addAll(server.query("by_clone", FINGERPRINT.formatted("items")));
    all.addAll(server.query("by_wal", FINGERPRINT.formatted("t")));
    all.addAll(server.query("postgres", "SELECT count(*) FROM pg_class"));
    return all;
  }

  /** No false negatives: what differs from the store, byte by byte, carries the dirty mark. */
  private static void assertEveryChangedBlockIsDirty(TestCompute compute) throws Exception {
    int changed = 0;
    int total = 0;
    for (FileStatus file : compute.map.files()) {
      Path local = compute.data.resolve(file.key().path());
      if (file.phase() == Phase.VIRTUAL) {
        assertThat(local).doesNotExist();
        continue;
      }
      byte[] now = Files.readAllBytes(local);
      Path stored = compute.store.resolve(file.key().path());
      byte[] then = file.ofSnapshot() ? Files.readAllBytes(stored) : new byte[0];
      assertThat(file.blocks()).as("size of %s", file.key()).isEqualTo(now.length / 8192);
      for (int block = 0; block < now.length / 8192; block++) {
        BlockState state = compute.map.blockState(file.entry(), block);
        total++;
        if (state.presence() == BlockState.Presence.ABSENT) {
          assertThat(state.dirty()).isFalse();
          continue;
        }
        boolean same =
            then.length >= (block + 1) * 8192
                && Arrays.equals(
                    now, block * 8192, (block + 1) * 8192, then, block * 8192, (block + 1) * 8192);
        if (!same) {
          changed++;
          assertThat(state.dirty()).as("%s block %d", file.key(), block).isTrue();
        }
      }
    }
    assertThat(changed).isGreaterThan(400).isLessThan(total);
    for (BlockFile file : compute.base) {
      int entry = compute.map.find(file.key()).orElseThrow();
      if (compute.map.phase(entry) == Phase.UNLINKED) {
        assertThat(compute.data.resolve(file.key().path())).doesNotExist();
      }
    }
    for (String path : TestPostgres.files(compute.data).keySet()) {
      FileKey.parse(path).ifPresent(key -> assertThat(compute.map.find(key)).as(path).isPresent());
    }
  }

  @Test
  void aDroppedDatabaseThatWasNeverTouchedIsGoneFromTheManifest() throws Exception {
    try (TestCompute compute = TestCompute.of(store)) {
      try (TestServer server = compute.start()) {
        int oid =
            Integer.parseInt(
                server
                    .query("postgres", "SELECT oid::int FROM pg_database WHERE datname = 'unused'")
                    .getFirst());
        server.query("postgres", "DROP DATABASE unused");
        server.stop();
        assertThat(compute.data.resolve("base/" + oid)).doesNotExist();
        assertThat(compute.base).anyMatch(file -> file.key().database() == oid);
        assertThat(new BlockCapture(compute.files, 5_000).run((_, _, _, _) -> {}))
            .noneMatch(file -> file.key().database() == oid);
        assertThat(compute.map.removedFiles()).anyMatch(file -> file.key().database() == oid);
      }
    }
  }

  @Test
  void aLateFillDoesNotBringATruncatedFileBack() throws Exception {
    try (TestCompute compute = TestCompute.of(store)) {
      try (TestServer server = compute.start()) {
        FileStatus doomed = doomed(server, compute);
        server.query("postgres", "DROP TABLE doomed");
        assertThat(compute.data.resolve(doomed.key().path())).hasSize(0);
        compute.files.fill(
            doomed.entry(),
            doomed.incarnation(),
            0,
            doomed.blocks(),
            (_, _, _, count) -> new byte[count * 8192],
            1000);
        assertThat(compute.data.resolve(doomed.key().path())).hasSize(0);
        server.query("postgres", "CHECKPOINT");
        assertThat(compute.data.resolve(doomed.key().path())).doesNotExist();
        assertThat(compute.map.status(doomed.entry()).phase()).isEqualTo(Phase.UNLINKED);
      }
    }
  }

  @Test
  void aTruncationWaitsForAFillUnderWay() throws Exception {
    try (TestCompute compute = TestCompute.of(store)) {
      CountDownLatch claimed = new CountDownLatch(1);
      CountDownLatch release = new CountDownLatch(1);
      try (TestServer server = compute.start();
          ExecutorService agent = Executors.newSingleThreadExecutor()) {
        FileStatus doomed = doomed(server, compute);
        compute.files.materialise(doomed.entry());
        Future<?> fill =
            agent.submit(() -> {
              compute.files.fill(
                  doomed.entry(),
                  doomed.incarnation(),
                  0,
                  8,
                  (_, _, _, count) -> {
                    claimed.countDown();
                    release(release);
                    return new byte[count * 8192];
                  },
                  1000);
              return true;
            });
        assertThat(claimed.await(10, TimeUnit.SECONDS)).isTrue();
        try (TestServer.Session session = server.connect("postgres")) {
          Future<?> drop = session.send("DROP TABLE doomed");
          TestServer.await(
              "the truncation begins", () -> compute.map.phase(doomed.entry()) == Phase.TRUNCATING);
          assertThat(drop).isNotDone();
          assertThat(compute.data.resolve(doomed.key().path())).hasSize(doomed.blocks() * 8192L);
          release.countDown();
          drop.get(30, TimeUnit.SECONDS);
        }
        fill.get(10, TimeUnit.SECONDS);
        assertThat(compute.data.resolve(doomed.key().path())).hasSize(0);
      } finally {
        release.countDown();
      }
    }
  }

  private static void release(CountDownLatch latch) throws IOException {
    try {
      if (!latch.await(30, TimeUnit.SECONDS)) {
        throw new IOException("never released");
      }
    } catch (InterruptedException e) {
      throw new IOException(e);
    }
  }

  private static FileStatus doomed(TestServer server, TestCompute compute) throws Exception {
    String path = server.query("postgres", "SELECT pg_relation_filepath('doomed')").getFirst();
    FileKey key = FileKey.parse(path).orElseThrow();
    return compute.map.status(compute.map.find(key).orElseThrow());
  }

  @Test
  void filesInATablespaceAreRefused() throws Exception {
    try (TestCompute compute = TestCompute.of(store)) {
      try (TestServer server = compute.start()) {
        assertThatThrownBy(() ->
                server.query(
                    "postgres",
                    "SET allow_in_place_tablespaces = on",
                    "CREATE TABLESPACE elsewhere LOCATION ''",
                    "CREATE TABLE t(a int) TABLESPACE elsewhere"))
            .hasMessageContaining("Operation not permitted");
      }
    }
  }

  @Test
  void crashRecoveryRunsOnTheSkeletonOfACrashedCluster() throws Exception {
    TestPostgres postgres = TestPostgres.get();
    Path crashed = postgres.directory("crashed");
    postgres.copyTree(store, crashed, _ -> true);
    List<String> fingerprint;
    try (TestServer server = TestServer.start(crashed, Map.of(), List.of(), List.of())) {
      server.query(
          "postgres",
          "UPDATE items SET grp = grp + 1 WHERE id % 3 = 0",
          "TRUNCATE emptied",
          "DROP TABLE doomed",
          "CREATE TABLE late AS SELECT * FROM items WHERE id < 2000");
      fingerprint = server.query("postgres", FINGERPRINT.formatted("items"));
      TestServer.signal(server.postmaster, "KILL");
    }
    try (TestCompute compute = TestCompute.of(crashed)) {
      try (TestServer server = compute.start()) {
        assertThat(server.query("postgres", FINGERPRINT.formatted("items"))).isEqualTo(fingerprint);
        assertThat(server.query("postgres", "SELECT count(*) FROM late")).containsExactly("1999");
        assertThat(server.query("postgres", "SELECT count(*) FROM fleeting")).containsExactly("0");
        assertThat(compute.map.statistics().errors()).isZero();
        server.stop();
      }
      assertEveryChangedBlockIsDirty(compute);
    }
  }

  @Test
  void withoutItsAgentAReadOfAbsentBlocksIsAnErrorAndNeverZeroes() throws Exception {
    try (TestCompute compute = TestCompute.of(store)) {
      try (TestServer server = compute.start()) {
        server.query("postgres", "SELECT count(*) FROM items WHERE id = 1");
        compute.closeAgent();
        assertThatThrownBy(() -> server.query("postgres", FINGERPRINT.formatted("items")))
            .hasMessageContaining("Input/output error");
        compute.openAgent();
        assertThat(server.query("postgres", FINGERPRINT.formatted("items")))
            .isEqualTo(itemsFingerprint);
      }
    }
  }

  @Test
  void everyReleaseOfABinaryWeShipIsCovered() throws Exception {
    ShimSymbols.check(TestPostgres.get().home.resolve("bin/postgres"));
    assertThatThrownBy(() -> ShimSymbols.check(TestPostgres.get().natives.supervisor()))
        .hasMessageContaining("would go unseen");
  }
}
