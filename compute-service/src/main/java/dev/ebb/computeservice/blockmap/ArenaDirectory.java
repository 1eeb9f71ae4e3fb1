package dev.ebb.computeservice.blockmap;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where one host keeps its block maps, for as long as its process lives: a directory of its own
 * among those of other hosts, and of strangers. Its name cannot be foretold, it is made and never
 * taken over, and only this process's user writes to it: nobody can put a link in the way of what
 * is made in it. A lock of the operating system on a file in it says that its process lives;
 * whoever finds a directory without one, of its own user, may delete it.
 */
public final class ArenaDirectory implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(ArenaDirectory.class);
  private static final Path SHARED_MEMORY = Path.of("/dev/shm");
  private static final String PREFIX = "ebb-arenas-";
  private static final Pattern NAME = Pattern.compile(PREFIX + "[0-9a-f]{32}");
  private static final String LOCK = "lock";

  /** Between the making of a directory and its lock there is a moment; not so long a one. */
  private static final Duration WITHOUT_LOCK = Duration.ofMinutes(1);

  /**
   * The lock files that this process holds. It must not so much as open them: closing any
   * descriptor of a file gives up all locks that the process has on it (fcntl(2)).
   */
  private static final Set<Path> HELD = ConcurrentHashMap.newKeySet();

  private final Path path;
  private final FileLock lock;

  private ArenaDirectory(Path path, FileLock lock) {
    this.path = path;
    this.lock = lock;
  }

  /**
   * Makes a directory on the memory file system where there is one, since every block that is
   * written changes a word of a block map; and deletes what dead hosts left beside it.
   *
   * @param otherwise where there is none: an existing directory that only this user writes to
   */
  public static ArenaDirectory open(Path otherwise) throws IOException {
    return openIn(
        Files.isDirectory(SHARED_MEMORY) && Files.isWritable(SHARED_MEMORY)
            ? SHARED_MEMORY
            : otherwise,
        Clock.systemUTC());
  }

  static ArenaDirectory openIn(Path parent, Clock clock) throws IOException {
    sweep(parent, clock);
    var random = new byte[16];
    new SecureRandom().nextBytes(random);
    Path path = parent.resolve(PREFIX + HexFormat.of().formatHex(random));
    // PostgreSQL's user passes through, to the one arena whose name it is told.
    Files.createDirectory(
        path, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx--x--x")));
    Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwx--x--x"));
    Path lockFile = path.resolve(LOCK);
    HELD.add(lockFile);
    try {
      return new ArenaDirectory(path, lock(path, lockFile));
    } catch (IOException | RuntimeException e) {
      HELD.remove(lockFile);
      throw e;
    }
  }

  /** The file gets its name when it is locked: under that name it is never seen without a lock. */
  private static FileLock lock(Path directory, Path lockFile) throws IOException {
    Path unnamed = directory.resolve(LOCK + ".new");
    FileChannel channel =
        FileChannel.open(
            unnamed,
            Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    try {
      FileLock lock = channel.tryLock();
      if (lock == null) {
        throw new IOException("somebody else locked " + unnamed);
      }
      Files.move(unnamed, lockFile, StandardCopyOption.ATOMIC_MOVE);
      return lock;
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  /** Deletes the directories of hosts that are dead. What cannot be judged or deleted stays. */
  private static void sweep(Path parent, Clock clock) throws IOException {
    Object self = Files.getAttribute(Path.of("/proc/self"), "unix:uid");
    try (DirectoryStream<Path> found = Files.newDirectoryStream(parent, PREFIX + "*")) {
      for (Path path : found) {
        try {
          if (NAME.matcher(String.valueOf(path.getFileName())).matches()
              && self.equals(Files.getAttribute(path, "unix:uid", LinkOption.NOFOLLOW_LINKS))
              && Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)
              && isDead(path, clock)) {
            delete(path);
            log.info("deleted {}, which a host left that is gone", path);
          }
        } catch (IOException e) {
          log.warn("{} is left as it is: {}", path, e.toString());
        }
      }
    }
  }

  private static boolean isDead(Path directory, Clock clock) throws IOException {
    Path lockFile = directory.resolve(LOCK);
    if (HELD.contains(lockFile)) {
      return false;
    }
    try (FileChannel channel =
        FileChannel.open(lockFile, Set.of(StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS))) {
      @Nullable FileLock lock = channel.tryLock();
      return lock != null;
    } catch (NoSuchFileException e) {
      BasicFileAttributes attributes =
          Files.readAttributes(directory, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
      return attributes.lastModifiedTime().toInstant().plus(WITHOUT_LOCK).isBefore(clock.instant());
    }
  }

  /** One level deep, which is all there is; the lock last. */
  private static void delete(Path directory) throws IOException {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(directory)) {
      for (Path file : files) {
        if (!file.endsWith(LOCK)) {
          Files.deleteIfExists(file);
        }
      }
    }
    Files.deleteIfExists(directory.resolve(LOCK));
    Files.deleteIfExists(directory);
  }

  /** The directory. What is made in it must not exist before (O_EXCL). */
  public Path path() {
    return path;
  }

  /** Deletes it, with all that is left in it. */
  @Override
  public void close() throws IOException {
    Path lockFile = path.resolve(LOCK);
    try {
      delete(path);
    } finally {
      HELD.remove(lockFile);
      lock.acquiredBy().close();
    }
  }
}
