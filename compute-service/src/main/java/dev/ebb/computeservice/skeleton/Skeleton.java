package dev.ebb.computeservice.skeleton;

import dev.ebb.computeservice.postgres.OsUser;
import dev.ebb.computeservice.postgres.PgControl;
import dev.ebb.computeservice.postgres.WalLayer;
import dev.ebb.computeservice.postgres.WalPages;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.PostgresMajor;
import dev.ebb.shared.page.Manifest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Makes a data directory out of a manifest: directories, small files, control file and WAL. Files
 * of blocks are not made: the page shim makes each when it is first opened.
 */
public final class Skeleton {
  private static final FileAttribute<Set<PosixFilePermission>> PRIVATE_DIRECTORY =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
  private static final FileAttribute<Set<PosixFilePermission>> PRIVATE_FILE =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

  private static final SecureRandom RANDOM = new SecureRandom();

  /** {@code STANDBY_SIGNAL_FILE} in {@code src/include/access/xlog.h}. */
  private static final String STANDBY_SIGNAL = "standby.signal";

  private final Path dataDirectory;
  private final Manifest manifest;
  private final OsUser user;

  /**
   * WAL behind the snapshot, to be replayed.
   *
   * @param from where the snapshot's own WAL ends: its redo point, or its end where it is clean
   * @param to E, where the log ends
   * @param reader hands every byte between the two to its consumer, in order
   */
  public record Tail(Lsn from, Lsn to, Consumer<Consumer<byte[]>> reader) implements Wal {}

  /** What PostgreSQL finds behind the snapshot. */
  public sealed interface Wal {}

  /** Nothing: the log ends with it. */
  public record NoWal() implements Wal {}

  /**
   * Nothing yet: a hot standby gets it streamed. It lets nobody in before it has replayed all that
   * the snapshot's pages can have of it (storage rule 29).
   *
   * @param from behind what it finds in {@code pg_wal}
   */
  public record Streamed(Lsn from) implements Wal {}

  /** A skeleton of {@code manifest} in a directory that does not exist yet. */
  public Skeleton(Path dataDirectory, Manifest manifest, OsUser user) {
    this.dataDirectory = dataDirectory;
    this.manifest = manifest;
    this.user = user;
  }

  /**
   * Lays it out and returns the control file that PostgreSQL will read.
   *
   * @param systemIdentifier the branch's own
   * @param behind what comes behind the snapshot
   */
  public PgControl lay(long systemIdentifier, Wal behind) {
    try {
      directory(dataDirectory);
      for (String path : manifest.directories()) {
        directory(resolve(path));
      }
      PgControl control = null;
      for (Manifest.SmallFile file : manifest.smallFiles()) {
        if (file.path().equals(PgControl.PATH)) {
          control = identified(PgControl.parse(file.content()), systemIdentifier);
        } else {
          write(resolve(file.path()), file.content());
        }
      }
      if (control == null) {
        throw new EbbException.Corrupt(
            "snapshot " + manifest.snapshot() + " has no " + PgControl.PATH);
      }
      requireVersion(control);
      return layControlAndWal(control, behind);
    } catch (IOException e) {
      throw new EbbException.Unavailable(
          "cannot lay out the data directory " + dataDirectory + ": " + e, e);
    }
  }

  private void requireVersion(PgControl control) {
    int major = PostgresMajor.ofRelease(manifest.postgresVersion()).number();
    if (control.major().major() != major) {
      throw new EbbException.Corrupt(
          "snapshot "
              + manifest.snapshot()
              + " is said to be of PostgreSQL "
              + major
              + ", its "
              + PgControl.PATH
              + " is of "
              + control.major().major());
    }
  }

  /**
   * A database's first start from the template: it gets its own identifier, and its own nonce for
   * the fake salts of roles that do not exist ({@code auth-scram.c}).
   */
  private static PgControl identified(PgControl control, long systemIdentifier) {
    if (control.systemIdentifier() == systemIdentifier) {
      return control;
    }
    var nonce = new byte[32];
    RANDOM.nextBytes(nonce);
    return control.withSystemIdentifier(systemIdentifier).withMockAuthenticationNonce(nonce);
  }

  private PgControl layControlAndWal(PgControl captured, Wal behind) throws IOException {
    PgControl control = controlFor(captured, behind);
    Path wal = resolve("pg_wal");
    WalPages.layInto(wal, manifest.walPieces(), control, user);
    switch (behind) {
      case NoWal none -> {}
      case Tail tail -> layTail(wal, tail, control);
      case Streamed streamed -> {
        // Headers, which are read of every segment and page that what is streamed begins inside of.
        try (WalLayer layer = WalPages.layLog(wal, streamed.from(), control, user)) {
          layer.finish();
        }
        write(resolve(STANDBY_SIGNAL), new byte[0]);
      }
    }
    write(resolve(PgControl.PATH), control.bytes());
    return control;
  }

  private PgControl controlFor(PgControl captured, Wal behind) {
    return switch (behind) {
      case NoWal none -> captured;
      case Tail tail ->
          // PostgreSQL does not look behind the checkpoint of a clean stop: WAL there would be lost
          // without a word (xlogrecovery.c, InitWalRecovery).
          captured.stoppedCleanly() ? captured.withState(PgControl.State.IN_PRODUCTION) : captured;
      case Streamed streamed ->
          captured
              .withState(PgControl.State.IN_ARCHIVE_RECOVERY)
              .withMinRecoveryPoint(manifest.endLsn(), manifest.timeline());
    };
  }

  private void layTail(Path wal, Tail tail, PgControl control) throws IOException {
    try (WalLayer layer = WalPages.layLog(wal, tail.from(), control, user)) {
      tail.reader()
          .accept(bytes -> {
            try {
              layer.append(bytes, 0, bytes.length);
            } catch (IOException e) {
              throw new UncheckedIOException(e);
            }
          });
      Lsn end = layer.finish();
      if (!end.equals(tail.to())) {
        throw new EbbException.Corrupt("the log ends at " + end + " instead of " + tail.to());
      }
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  private Path resolve(String path) {
    Path resolved = dataDirectory.resolve(path).normalize();
    if (!resolved.startsWith(dataDirectory)) {
      throw new EbbException.Corrupt("a manifest names a path outside the cluster: " + path);
    }
    return resolved;
  }

  private void directory(Path path) throws IOException {
    Files.createDirectory(path, PRIVATE_DIRECTORY);
    user.own(path);
  }

  private void write(Path path, byte[] content) throws IOException {
    Files.createFile(path, PRIVATE_FILE);
    Files.write(path, content);
    user.own(path);
  }
}
