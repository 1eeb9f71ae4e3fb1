package dev.ebb.launcher.up;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where computes keep their local files. Below the data directory, unless another user runs
 * PostgreSQL (Ebb runs as root) and cannot pass through to there, as below {@code /root}, or its
 * path is too long for the sockets in it.
 */
final class CacheDirectory {
  private static final Logger log = LoggerFactory.getLogger(CacheDirectory.class);

  /** A socket's path has at most 107 characters; this leaves 57 for what computes put below. */
  private static final int MAX_PATH = 50;

  private CacheDirectory() {}

  static Path choose(Path dataDir) {
    Path below = dataDir.resolve("cache");
    boolean root = runsAsRoot();
    if (below.toString().length() <= MAX_PATH && (!root || isOpenToOthers(dataDir))) {
      return below;
    }
    // The same at every start, and another one for every data directory.
    UUID name = UUID.nameUUIDFromBytes(dataDir.toString().getBytes(StandardCharsets.UTF_8));
    Path caches =
        root ? Path.of("/var/cache/ebb") : Path.of(System.getProperty("user.home"), ".cache/ebb");
    Path elsewhere = caches.resolve(name.toString().substring(0, 8));
    log.info("computes keep their files in {}, not below {}", elsewhere, dataDir);
    return elsewhere;
  }

  private static boolean runsAsRoot() {
    try {
      return Integer.valueOf(0).equals(Files.getAttribute(Path.of("/proc/self"), "unix:uid"));
    } catch (IOException | UnsupportedOperationException e) {
      return false;
    }
  }

  private static boolean isOpenToOthers(Path directory) {
    try {
      for (Path at = directory.toRealPath(); at != null; at = at.getParent()) {
        if (!Files.getPosixFilePermissions(at).contains(PosixFilePermission.OTHERS_EXECUTE)) {
          return false;
        }
      }
      return true;
    } catch (IOException e) {
      return false;
    }
  }
}
