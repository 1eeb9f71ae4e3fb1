package dev.ebb.launcher.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.TimeUnit;

/** The kernel's page cache of the whole machine. */
final class PageCache {
  private static final Path SWITCH = Path.of("/proc/sys/vm/drop_caches");
  private static final long SYNC_SECONDS = 120;

  private PageCache() {}

  /** Drops it; false where this process may not. */
  static boolean drop() throws IOException, InterruptedException {
    if (!Files.isWritable(SWITCH)) {
      return false;
    }
    // What is not written yet cannot be dropped.
    new ProcessBuilder("sync").inheritIO().start().waitFor(SYNC_SECONDS, TimeUnit.SECONDS);
    try {
      Files.writeString(SWITCH, "3\n", StandardOpenOption.WRITE);
      return true;
    } catch (IOException e) {
      return false; // a container, where it is there but closed
    }
  }
}
