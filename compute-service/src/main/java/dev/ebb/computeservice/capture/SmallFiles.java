package dev.ebb.computeservice.capture;

import dev.ebb.computeservice.postgres.PgControl;
import dev.ebb.computeservice.postgres.RelationMapFile;
import dev.ebb.computeservice.template.DataFiles;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.page.Manifest.SmallFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.CRC32C;

/**
 * Finds a compute's directories and the files that a manifest keeps whole: those that {@link
 * DataFiles} says, without what a running compute or a new generation makes a difference of
 * (storage rules 37 and 40).
 */
final class SmallFiles {
  /** Beyond this a file has no place in a manifest; larger ones are nobody's in PostgreSQL. */
  private static final long MAX_BYTES = 4 << 20;

  /** About 800 relations besides what every cluster has: a start reads it first. */
  private static final int MAX_STATISTICS_BYTES = 256 << 10;

  /** A compute's slots are its WAL receiver's and its replicas', which know another one by now. */
  private static final String SLOTS = "pg_replslot";

  /**
   * Named after the transaction id: with its epoch from version 17 on, without it before ({@code
   * TwoPhaseFilePath} in {@code twophase.c}).
   */
  private static final Pattern TWO_PHASE =
      Pattern.compile("pg_twophase/([0-9A-F]{16}|[0-9A-F]{8})");

  private static final int XID_DIGITS = 8;

  /** In {@code TwoPhaseFileHeader}: the file's length; at its end there is a CRC-32C. */
  private static final int TWO_PHASE_LENGTH_AT = 4;

  private static final int CRC_BYTES = 4;

  private static final int MAX_READS = 100;
  private static final long READ_AGAIN_NANOS = 100_000;

  private SmallFiles() {}

  /** The directories, parents first, and the files. */
  record Found(List<String> directories, List<SmallFile> files) {}

  /**
   * Reads them.
   *
   * @param control the captured control file; goes in as {@code global/pg_control}
   * @param stopped whether PostgreSQL has stopped: then its statistics are kept too
   */
  static Found read(Path dataDirectory, PgControl control, boolean stopped) throws IOException {
    var directories = new ArrayList<String>();
    var files = new ArrayList<SmallFile>();
    Files.walkFileTree(
        dataDirectory,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult preVisitDirectory(Path path, BasicFileAttributes attributes) {
            String name = dataDirectory.relativize(path).toString();
            if (name.isEmpty()) {
              return FileVisitResult.CONTINUE;
            }
            if (!DataFiles.keepsDirectory(name)) {
              return FileVisitResult.SKIP_SUBTREE;
            }
            directories.add(name);
            if (name.equals("pg_wal")) {
              // PostgreSQL makes these again only where pg_wal itself was missing.
              directories.add("pg_wal/archive_status");
              if (control.major().major() >= 17) {
                directories.add("pg_wal/summaries");
              }
            }
            return DataFiles.isEmptied(name) || name.equals(SLOTS)
                ? FileVisitResult.SKIP_SUBTREE
                : FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFile(Path path, BasicFileAttributes attributes)
              throws IOException {
            String name = dataDirectory.relativize(path).toString();
            if (isKept(name, control, stopped)) {
              readFile(path, name, control, attributes, files);
            }
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFileFailed(Path path, IOException e) throws IOException {
            if (e instanceof NoSuchFileException && !stopped) {
              return FileVisitResult.CONTINUE; // removed while we were walking
            }
            throw e;
          }
        });
    files.add(new SmallFile(PgControl.PATH, control.bytes()));
    return new Found(List.copyOf(directories), List.copyOf(files));
  }

  private static boolean isKept(String name, PgControl control, boolean stopped) {
    if (name.equals(PgControl.PATH)
        || DataFiles.of(name) != DataFiles.Treatment.WHOLE
        || (!stopped && name.startsWith("pg_stat/"))) {
      return false;
    }
    var twoPhase = TWO_PHASE.matcher(name);
    // A prepared transaction newer than the captured checkpoint is made again by replay; its file
    // would be taken for one from the future and lost (storage rule 37).
    return !twoPhase.matches() || isBelow(twoPhase.group(1), control);
  }

  private static boolean isBelow(String xid, PgControl control) {
    long number = Long.parseUnsignedLong(xid, 16);
    return xid.length() == XID_DIGITS
        // Around the clock, as TransactionIdPrecedes in transam.c; none of these is a special one.
        ? (int) number - control.nextXid() < 0
        : Long.compareUnsigned(number, control.nextFullXid()) < 0;
  }

  private static void readFile(
      Path path,
      String name,
      PgControl control,
      BasicFileAttributes attributes,
      List<SmallFile> into)
      throws IOException {
    if (!attributes.isRegularFile()) {
      throw new EbbException.Invalid(
          "the data directory holds "
              + name
              + ", which is no regular file: tablespaces outside"
              + " the cluster are not supported");
    }
    boolean statistics = StatisticsFile.is(name);
    if (attributes.size() > MAX_BYTES && !statistics) {
      throw new EbbException.Invalid(
          "the data directory holds "
              + name
              + " of "
              + attributes.size()
              + " bytes, which is not a file of PostgreSQL's own");
    }
    try {
      byte[] content = readIntact(path, name);
      if (TWO_PHASE.matcher(name).matches() && !isWholeTwoPhase(content)) {
        // A checkpoint behind the captured one is writing it just now: so its transaction was
        // prepared behind the captured redo point, and replay makes it again.
        return;
      }
      if (statistics) {
        StatisticsFile.shortened(content, control.major(), MAX_STATISTICS_BYTES)
            .ifPresent(kept -> into.add(new SmallFile(name, kept)));
        return;
      }
      into.add(new SmallFile(name, content));
    } catch (NoSuchFileException e) {
      // Removed while we were walking: a file that PostgreSQL no longer needs.
    }
  }

  static boolean isWholeTwoPhase(byte[] content) {
    ByteBuffer fields = ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN);
    if (content.length < TWO_PHASE_LENGTH_AT + Integer.BYTES + CRC_BYTES
        || fields.getInt(TWO_PHASE_LENGTH_AT) != content.length) {
      return false;
    }
    var crc = new CRC32C();
    crc.update(content, 0, content.length - CRC_BYTES);
    return (int) crc.getValue() == fields.getInt(content.length - CRC_BYTES);
  }

  /**
   * A relation map is overwritten in place before version 16: its CRC tells, then it is read again.
   */
  private static byte[] readIntact(Path path, String name) throws IOException {
    for (int attempt = 1; ; attempt++) {
      byte[] content = Files.readAllBytes(path);
      try {
        requireIntact(name, content);
        return content;
      } catch (EbbException.Corrupt e) {
        if (attempt == MAX_READS) {
          throw e;
        }
        LockSupport.parkNanos(READ_AGAIN_NANOS);
      }
    }
  }

  static void requireIntact(String name, byte[] content) {
    if (name.endsWith("pg_filenode.map") && !RelationMapFile.isIntact(content)) {
      throw new EbbException.Corrupt(name + " is damaged or was read while it was being written");
    }
  }

  /** The names in a directory. */
  static Set<String> children(Path directory) {
    try (Stream<Path> paths = Files.list(directory)) {
      var names = new HashSet<String>();
      paths.forEach(path -> names.add(String.valueOf(path.getFileName())));
      return names;
    } catch (IOException e) {
      throw new EbbException.Unavailable("cannot list " + directory + ": " + e, e);
    }
  }
}
