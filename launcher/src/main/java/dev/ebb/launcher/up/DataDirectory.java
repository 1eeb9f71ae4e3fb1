package dev.ebb.launcher.up;

import dev.ebb.launcher.client.Passwords;
import dev.ebb.launcher.client.ServerLocation;
import dev.ebb.shared.model.Secret;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import org.jspecify.annotations.Nullable;

/**
 * The directory that a process keeps its files in, locked for it alone: {@code token}, {@code
 * cluster-secret} and {@code wal-token} (readable by the owner only), {@code endpoint.json} for the
 * commands, {@code log/}, and what the services put there. The lock is one of the operating system:
 * it ends with the process, however that ends.
 */
final class DataDirectory implements AutoCloseable {
  private static final String TOKEN = "token";
  private static final String CLUSTER_SECRET = "cluster-secret";
  private static final String WAL_TOKEN = "wal-token";
  private static final int MIN_SECRET_LENGTH = 16;
  private static final String INITIALIZED = "initialized";

  private final Path path;
  private final FileChannel channel;
  private final FileLock lock;

  private DataDirectory(Path path, FileChannel channel, FileLock lock) {
    this.path = path;
    this.channel = channel;
    this.lock = lock;
  }

  /**
   * Makes and locks the directory.
   *
   * @param lockName the processes that exclude each other use the same
   */
  static DataDirectory open(Path path, String lockName) throws StartException {
    try {
      Files.createDirectories(path);
      if (!Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS) && !Files.isDirectory(path)) {
        throw new StartException(path + " is no directory: choose another with --data");
      }
      // Others may pass through, to the files of computes that run as another user.
      Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwx--x--x"));
      FileChannel channel =
          FileChannel.open(
              path.resolve(lockName), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      FileLock lock = tryLock(channel);
      if (lock == null) {
        channel.close();
        ServerLocation holder = ServerLocation.read(path);
        String who = holder == null ? "" : " (process " + holder.pid() + ")";
        throw new StartException(
            "another ebb"
                + who
                + " uses the data directory "
                + path
                + ": stop it, or choose another with --data");
      }
      return new DataDirectory(path, channel, lock);
    } catch (AccessDeniedException e) {
      throw new StartException(
          "no permission to write " + e.getFile() + ": choose another directory with --data", e);
    } catch (FileAlreadyExistsException e) {
      throw new StartException(e.getFile() + " is no directory: choose another with --data", e);
    } catch (IOException e) {
      throw new StartException(
          "the data directory "
              + path
              + " cannot be used ("
              + e.getMessage()
              + "): choose another with --data",
          e);
    }
  }

  private static @Nullable FileLock tryLock(FileChannel channel) throws IOException {
    try {
      return channel.tryLock();
    } catch (OverlappingFileLockException e) {
      return null;
    }
  }

  Path path() {
    return path;
  }

  /** Where the log goes; made where it is not there yet. */
  Path logDirectory() throws StartException {
    Path directory = path.resolve("log");
    try {
      return Files.createDirectories(directory);
    } catch (IOException e) {
      throw new StartException(
          "the log's directory " + directory + " cannot be made: is a file in its place?", e);
    }
  }

  /** What clients of the HTTP API present; made at the first start. */
  Secret token() throws StartException {
    return secret(TOKEN, "delete it, and the next start makes another");
  }

  /** What the services log in to computes with; made at the first start. */
  Secret clusterSecret() throws StartException {
    return secret(
        CLUSTER_SECRET,
        "restore it, since Ebb logs in to the databases that there are with what follows from it;"
            + " only where there are none yet, delete it");
  }

  /** Leaves what clients of the WAL sender present where their operator finds it. */
  void writeWalToken(Secret token) throws StartException {
    Path file = path.resolve(WAL_TOKEN);
    try {
      Path temporary = temporary(file);
      try {
        Files.writeString(temporary, token.reveal() + "\n");
        Files.move(
            temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      } finally {
        Files.deleteIfExists(temporary);
      }
    } catch (IOException e) {
      throw new StartException(file + " cannot be written: " + e.getMessage(), e);
    }
  }

  /** Where it is kept, unless it is configured. */
  Path clusterSecretFile() {
    return path.resolve(CLUSTER_SECRET);
  }

  /** Whether a first database has been made, ever. */
  boolean isInitialized() {
    return Files.exists(path.resolve(INITIALIZED));
  }

  void markInitialized() throws StartException {
    try {
      Files.writeString(path.resolve(INITIALIZED), "");
    } catch (IOException e) {
      throw new StartException("cannot write to " + path + ": " + e.getMessage(), e);
    }
  }

  /**
   * @param repair what to do where the file has been cut off
   */
  private Secret secret(String name, String repair) throws StartException {
    Path file = path.resolve(name);
    try {
      if (!Files.exists(file)) {
        write(file);
      }
      String secret = Files.readString(file).strip();
      if (secret.length() < MIN_SECRET_LENGTH) {
        throw new StartException(
            file
                + " has been cut off (it has fewer than "
                + MIN_SECRET_LENGTH
                + " characters): "
                + repair);
      }
      return new Secret(secret);
    } catch (IOException e) {
      throw new StartException(file + " cannot be read or written: " + e.getMessage(), e);
    }
  }

  /** Whole or not at all, and only where nobody else was first. */
  private static void write(Path file) throws IOException {
    Path temporary = temporary(file);
    try {
      Files.writeString(temporary, Passwords.random() + "\n");
      Files.createLink(file, temporary);
    } catch (FileAlreadyExistsException e) {
      // Another process made it in between: its secret is the one.
    } finally {
      Files.delete(temporary);
    }
  }

  private static Path temporary(Path file) throws IOException {
    return Files.createTempFile(
        file.toAbsolutePath().getParent(),
        "secret",
        ".new",
        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
  }

  /** Releases the lock. */
  @Override
  public void close() throws IOException {
    lock.release();
    channel.close();
  }
}
