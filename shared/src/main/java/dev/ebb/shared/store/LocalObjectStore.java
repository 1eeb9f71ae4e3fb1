package dev.ebb.shared.store;

import dev.ebb.shared.error.EbbException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Objects as files below a directory, which several processes may share. A key is a path, so that
 * no key may be another's directory ({@code a} and {@code a/b}): that is {@code Invalid}.
 *
 * <p>A write goes to a new file under {@code .tmp}, is fsynced, then renamed under the key's lock,
 * and the directory is fsynced: a reader sees the old content or the new, also after a power cut.
 * An object's version is a hash of its content. A process that is killed leaves at most a file in
 * {@code .tmp}, which no reader sees and a later open removes.
 */
public final class LocalObjectStore implements ObjectStore {
  private static final Logger log = LoggerFactory.getLogger(LocalObjectStore.class);

  /** A file in {@code .tmp} of this age belongs to no write that is still going on. */
  private static final long STALE_TMP_MS = 3_600_000;

  private static final int VERSION_BYTES = 16;

  private final Path root;
  private final Path tmp;
  private final FileSync sync;
  private final KeyLocks locks;

  /** Directories whose own name is known to be durable. */
  private final Set<Path> durableDirectories = ConcurrentHashMap.newKeySet();

  /** Opens the directory, made if it does not exist. */
  public LocalObjectStore(Path root) {
    this(root, FileSync.REAL, Clock.systemUTC());
  }

  LocalObjectStore(Path root, FileSync sync, Clock clock) {
    this.root = root.toAbsolutePath().normalize();
    this.tmp = this.root.resolve(".tmp");
    this.sync = sync;
    try {
      Files.createDirectories(tmp);
      Path lockFiles = Files.createDirectories(this.root.resolve(".locks"));
      this.locks = KeyLocks.open(lockFiles);
    } catch (IOException e) {
      throw unavailable("cannot open the object store", e);
    }
    durableDirectories.add(this.root);
    removeStaleTmp(clock.millis());
  }

  @Override
  public Optional<Stored> get(String key) {
    Path file = file(key);
    try {
      return read(file).map(content -> new Stored(content, versionOf(content)));
    } catch (IOException e) {
      throw unavailable("cannot read " + key, e);
    }
  }

  @Override
  public Optional<byte[]> getRange(String key, long offset, int length) {
    Path file = file(key);
    if (offset < 0 || length < 0) {
      throw new EbbException.Invalid("a negative range of " + key);
    }
    try (var channel = FileChannel.open(file, StandardOpenOption.READ)) {
      if (Files.isDirectory(file)) {
        return Optional.empty();
      }
      if (length > channel.size() - offset) {
        throw rangeOutside(key, offset, length, channel.size());
      }
      var buffer = ByteBuffer.allocate(length);
      while (buffer.hasRemaining()) {
        if (channel.read(buffer, offset + buffer.position()) < 0) {
          throw rangeOutside(key, offset, length, channel.size());
        }
      }
      return Optional.of(buffer.array());
    } catch (IOException e) {
      if (isAbsent(e)) {
        return Optional.empty();
      }
      throw unavailable("cannot read " + key, e);
    }
  }

  @Override
  public Version put(String key, byte[] content) {
    return write(key, content, file -> true)
        .orElseThrow(() -> new IllegalStateException("an unconditional write was refused"));
  }

  @Override
  public Optional<Version> putIfAbsent(String key, byte[] content) {
    if (Files.exists(file(key))) {
      return Optional.empty();
    }
    return write(key, content, file -> !Files.exists(file));
  }

  @Override
  public Optional<Version> putIfMatch(String key, byte[] content, Version expected) {
    Path target = file(key);
    try {
      if (!isAt(target, expected)) {
        return Optional.empty();
      }
    } catch (IOException e) {
      throw unavailable("cannot read " + key, e);
    }
    return write(key, content, file -> isAt(file, expected));
  }

  @Override
  public void delete(String key) {
    Path file = file(key);
    try {
      locks.locked(
          key,
          () -> {
            if (Files.isRegularFile(file) && Files.deleteIfExists(file)) {
              sync.syncDirectory(parentOf(file));
            }
            return file;
          });
      removeEmptyParents(file);
    } catch (IOException e) {
      if (!isAbsent(e)) {
        throw unavailable("cannot delete " + key, e);
      }
    }
  }

  @Override
  public List<Listed> list(String prefix) {
    ObjectKeys.requirePrefix(prefix);
    int slash = prefix.lastIndexOf('/');
    Path start = slash < 0 ? root : root.resolve(prefix.substring(0, slash));
    var found = new ArrayList<Listed>();
    try {
      Files.walkFileTree(start, new Lister(prefix, found));
    } catch (IOException e) {
      if (!isAbsent(e)) {
        throw unavailable("cannot list " + prefix, e);
      }
    }
    found.sort(Comparator.comparing(Listed::key));
    return List.copyOf(found);
  }

  @Override
  public void close() {
    try {
      locks.close();
    } catch (IOException e) {
      log.warn("could not close the lock files of {}", root, e);
    }
  }

  /** Whether the object that is there now may be replaced. */
  private interface Condition {
    boolean holds(Path file) throws IOException;
  }

  private Optional<Version> write(String key, byte[] content, Condition condition) {
    Path file = file(key);
    Path fresh = tmp.resolve(UUID.randomUUID().toString());
    try {
      requireRoomFor(key, file);
      sync.writeNew(fresh, content);
      boolean written = locks.locked(key, () -> condition.holds(file) && moveInto(file, fresh));
      return written ? Optional.of(versionOf(content)) : Optional.empty();
    } catch (IOException e) {
      throw unavailable("cannot write " + key, e);
    } finally {
      deleteQuietly(fresh);
    }
  }

  /** Refuses a key that is a directory of other keys, or lies below another key. */
  private void requireRoomFor(String key, Path file) {
    if (Files.isDirectory(file)) {
      throw new EbbException.Invalid(key + " is a directory of other objects in " + root);
    }
    for (Path above = parentOf(file); !above.equals(root); above = parentOf(above)) {
      if (Files.isRegularFile(above)) {
        throw new EbbException.Invalid(
            key + " cannot be stored: " + root.relativize(above) + " is an object in " + root);
      }
    }
  }

  private boolean moveInto(Path file, Path fresh) throws IOException {
    Path directory = parentOf(file);
    for (int attempt = 1; ; attempt++) {
      try {
        ensureDurable(directory);
        Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
        sync.syncDirectory(directory);
        return true;
      } catch (NoSuchFileException e) {
        // somebody deleted the last other object of the directory, and it with that
        durableDirectories.remove(directory);
        if (attempt == 10) {
          throw e;
        }
      }
    }
  }

  /** Makes a directory, and fsyncs whatever holds its name, once in this store's life. */
  private void ensureDurable(Path directory) throws IOException {
    if (durableDirectories.contains(directory) && Files.isDirectory(directory)) {
      return;
    }
    Path parent = parentOf(directory);
    ensureDurable(parent);
    try {
      Files.createDirectory(directory);
    } catch (FileAlreadyExistsException e) {
      log.trace("{} is there already", directory, e);
    }
    sync.syncDirectory(parent);
    durableDirectories.add(directory);
  }

  private void removeEmptyParents(Path file) throws IOException {
    for (Path above = parentOf(file); !above.equals(root); above = parentOf(above)) {
      try {
        durableDirectories.remove(above);
        Files.deleteIfExists(above);
      } catch (java.nio.file.DirectoryNotEmptyException e) {
        return;
      }
    }
  }

  private static boolean isAt(Path file, Version expected) throws IOException {
    return read(file).filter(content -> versionOf(content).equals(expected)).isPresent();
  }

  private static Optional<byte[]> read(Path file) throws IOException {
    try {
      return Optional.of(Files.readAllBytes(file));
    } catch (IOException e) {
      if (isAbsent(e) || Files.isDirectory(file)) {
        return Optional.empty();
      }
      throw e;
    }
  }

  private static boolean isAbsent(IOException error) {
    if (error instanceof NoSuchFileException || error instanceof NotDirectoryException) {
      return true;
    }
    String text = error.getMessage();
    return text != null && text.contains("Not a directory");
  }

  private static Version versionOf(byte[] content) {
    try {
      byte[] hash = MessageDigest.getInstance("SHA-256").digest(content);
      return new Version(HexFormat.of().formatHex(hash, 0, VERSION_BYTES));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }

  private Path file(String key) {
    return root.resolve(ObjectKeys.require(key));
  }

  private static Path parentOf(Path path) {
    Path parent = path.getParent();
    if (parent == null) {
      throw new IllegalStateException(path + " has no directory");
    }
    return parent;
  }

  private void removeStaleTmp(long nowMs) {
    try (var files = Files.newDirectoryStream(tmp)) {
      for (Path file : files) {
        if (nowMs - Files.getLastModifiedTime(file).toMillis() > STALE_TMP_MS) {
          Files.deleteIfExists(file);
        }
      }
    } catch (IOException e) {
      log.warn("could not tidy up {}", tmp, e);
    }
  }

  private static void deleteQuietly(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      log.warn("could not remove {}", file, e);
    }
  }

  private static EbbException.Corrupt rangeOutside(
      String key, long offset, int length, long bytes) {
    return new EbbException.Corrupt(
        key + " has " + bytes + " bytes; " + length + " were expected at offset " + offset);
  }

  private EbbException.Unavailable unavailable(String what, IOException error) {
    String text = error.getMessage() == null ? error.toString() : error.getMessage();
    if (text.contains("No space left") || text.contains("Disk quota exceeded")) {
      return new EbbException.Unavailable(
          what + ": the disk under " + root + " is full; free some space on it", error);
    }
    return new EbbException.Unavailable(what + " in " + root + ": " + error, error);
  }

  /** Collects the files below a directory; what vanishes meanwhile was deleted. */
  private final class Lister extends SimpleFileVisitor<Path> {
    private final String prefix;
    private final List<Listed> found;

    Lister(String prefix, List<Listed> found) {
      this.prefix = prefix;
      this.found = found;
    }

    @Override
    public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes attributes) {
      boolean ours = directory.equals(tmp) || directory.equals(root.resolve(".locks"));
      return ours ? FileVisitResult.SKIP_SUBTREE : FileVisitResult.CONTINUE;
    }

    @Override
    public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
      String key = root.relativize(file).toString().replace('\\', '/');
      if (attributes.isRegularFile() && key.startsWith(prefix)) {
        found.add(new Listed(key, attributes.size(), attributes.lastModifiedTime().toMillis()));
      }
      return FileVisitResult.CONTINUE;
    }

    @Override
    public FileVisitResult visitFileFailed(Path file, IOException error) throws IOException {
      if (isAbsent(error)) {
        return FileVisitResult.CONTINUE;
      }
      throw error;
    }
  }
}
