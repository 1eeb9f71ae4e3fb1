package dev.ebb.shared.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Several processes on one directory. */
final class LocalObjectStoreProcessesIT {
  private static final int INCREMENTS = 150;

  @TempDir Path root;

  /** What the other process runs: increments the counter in the directory named by its argument. */
  static final class Incrementer {
    private Incrementer() {}

    public static void main(String[] args) {
      try (var store = new LocalObjectStore(Path.of(args[0]))) {
        ObjectStoreContract.increment(store, "dir/counter", INCREMENTS);
      }
    }
  }

  @Test
  void processesThatShareDirectoryLoseNoUpdate() throws Exception {
    List<Process> others = new ArrayList<>();
    try (var store = new LocalObjectStore(root)) {
      store.put("dir/counter", "0".getBytes(StandardCharsets.UTF_8));
      for (int i = 0; i < 2; i++) {
        others.add(start());
      }
      ObjectStoreContract.increment(store, "dir/counter", INCREMENTS);
      for (Process other : others) {
        assertThat(other.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(other.exitValue()).isZero();
      }

      byte[] counted = store.get("dir/counter").orElseThrow().content();
      assertThat(new String(counted, StandardCharsets.UTF_8))
          .isEqualTo(Integer.toString(3 * INCREMENTS));
    } finally {
      others.forEach(Process::destroyForcibly);
    }
  }

  /** What a wake does: reads the head and writes it once. */
  @Test
  void headIsReadAndWrittenQuickly() {
    try (var store = new LocalObjectStore(root)) {
      var content = new byte[300];
      store.put("branches/b/head", content);
      List<Long> reads = new ArrayList<>();
      List<Long> writes = new ArrayList<>();
      for (int i = 0; i < 300; i++) {
        long start = System.nanoTime();
        ObjectStore.Stored head = store.get("branches/b/head").orElseThrow();
        long read = System.nanoTime();
        content[i]++;
        assertThat(store.putIfMatch("branches/b/head", content, head.version())).isPresent();
        reads.add((read - start) / 1_000);
        writes.add((System.nanoTime() - read) / 1_000);
      }
      reads.sort(null);
      writes.sort(null);
      System.out.printf(
          "local store: head read %d us, compare-and-set %d us in the median, %d us p99%n",
          reads.get(150), writes.get(150), writes.get(297));
      assertThat(writes.get(150)).isLessThan(1_000_000);
    }
  }

  private Process start() throws Exception {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-cp",
            System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
            Incrementer.class.getName(),
            root.toString())
        .inheritIO()
        .start();
  }
}
