package dev.ebb.computeservice.blockmap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.computeservice.blockmap.BlockState.Presence;
import dev.ebb.shared.page.FileKey;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * A page whose stored bytes are not what was written: PostgreSQL says so, of that page alone, and
 * nobody makes up zeroes for it.
 */
final class DamagedPageIT {
  private static final int BAD = 21;

  private static Path store = Path.of("");
  private static FileKey items = new FileKey(FileKey.Kind.RELATION, 0, 0, 0, 0);

  @BeforeAll
  static void fillTheStore() throws Exception {
    store = TestPostgres.get().initdb();
    try (TestServer server = TestServer.start(store, Map.of(), List.of(), List.of())) {
      server.query(
          "postgres",
          "CREATE TABLE items(id int, body text)",
          "INSERT INTO items SELECT i, repeat(md5(i::text), 6) FROM generate_series(1, 4000) i",
          "VACUUM (FREEZE) items",
          "CHECKPOINT");
      items =
          FileKey.parse(server.query("postgres", "SELECT pg_relation_filepath('items')").getFirst())
              .orElseThrow();
      // From here on in the WAL only: recovery has to read every page of the table.
      server.query("postgres", "UPDATE items SET body = 'changed' WHERE id % 10 = 0");
      TestServer.signal(server.supervisor.pid(), "QUIT");
      server.supervisor.waitFor();
    }
  }

  /** Of a cluster that has recovered and was stopped cleanly, everything of it as stored. */
  private static Path recovered() throws Exception {
    Path copy = TestPostgres.get().directory("recovered");
    TestPostgres.get().copyTree(store, copy, path -> !path.equals("postmaster.pid"));
    try (TestServer server = TestServer.start(copy, Map.of(), List.of(), List.of())) {
      server.stop();
    }
    return copy;
  }

  @Test
  void theQueryThatNeedsItFailsByNameAndEveryOtherPageIsReadable() throws Exception {
    try (TestCompute compute = TestCompute.of(recovered())) {
      compute.damaged.put(items, BAD);
      try (TestServer server = compute.start()) {
        for (int attempt = 0; attempt < 2; attempt++) {
          assertThatThrownBy(() -> server.query("postgres", "SELECT count(*) FROM items"))
              .hasMessageContaining("XX001")
              .hasMessageContaining("invalid page in block " + BAD + " of relation")
              .hasMessageContaining(items.path());
        }
        // TID range scans read what they need only: all before it, and all behind.
        long before = count(server, "SELECT count(*) FROM items WHERE ctid < '(" + BAD + ",0)'");
        long behind =
            count(server, "SELECT count(*) FROM items WHERE ctid >= '(" + (BAD + 1) + ",0)'");
        assertThat(before).isPositive();
        assertThat(behind).isPositive();
        int entry = compute.map.find(items).orElseThrow();
        assertThat(compute.map.blockState(entry, BAD).presence()).isEqualTo(Presence.ABSENT);
        assertThat(compute.map.blockState(entry, BAD - 1).presence()).isEqualTo(Presence.PRESENT);
        assertThat(compute.map.blockState(entry, BAD + 1).presence()).isEqualTo(Presence.PRESENT);

        compute.damaged.clear();
        assertThat(count(server, "SELECT count(*) FROM items")).isGreaterThan(before + behind);
        assertThat(count(server, "SELECT count(*) FROM items")).isEqualTo(4000);
      }
    }
  }

  private static long count(TestServer server, String query) throws Exception {
    return Long.parseLong(server.query("postgres", query).getFirst());
  }

  @Test
  void aDamagedVisibilityMapIsAnErrorAndNotZeroes() throws Exception {
    try (TestCompute compute = TestCompute.of(recovered())) {
      FileKey map = new FileKey(items.kind(), items.database(), items.relation(), 2, 0);
      compute.damaged.put(map, 0);
      try (TestServer server = compute.start()) {
        assertThatThrownBy(() -> server.query("postgres", "VACUUM items"))
            .hasMessageContaining("58030");
        compute.damaged.clear();
        server.query("postgres", "VACUUM items");
      }
    }
  }

  @Test
  void recoveryOverADamagedPageFailsTheStartAndNamesIt() throws Exception {
    try (TestCompute compute = TestCompute.of(store)) {
      compute.damaged.put(items, BAD);
      assertThatThrownBy(() -> compute.start())
          .isInstanceOf(IOException.class)
          .hasMessageContaining("invalid page in block " + BAD + " of relation")
          .hasMessageContaining(items.path());
    }
    try (TestCompute compute = TestCompute.of(store);
        TestServer server = compute.start()) {
      assertThat(count(server, "SELECT count(*) FROM items WHERE body = 'changed'")).isEqualTo(400);
    }
  }

  @Test
  void recoveryOverADamagedVisibilityMapFailsTheStart() throws Exception {
    try (TestCompute compute = TestCompute.of(store)) {
      FileKey map = new FileKey(items.kind(), items.database(), items.relation(), 2, 0);
      compute.damaged.put(map, 0);
      assertThatThrownBy(() -> compute.start())
          .isInstanceOf(IOException.class)
          .hasMessageContaining("could not read")
          .hasMessageContaining(map.path());
    }
  }
}
