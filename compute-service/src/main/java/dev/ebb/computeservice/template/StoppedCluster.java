package dev.ebb.computeservice.template;

import dev.ebb.computeservice.postgres.PgControl;
import dev.ebb.computeservice.postgres.WalPages;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * A cleanly stopped data directory as the ingredients of a manifest.
 *
 * @param directory the data directory itself
 * @param control its control file
 * @param directories as {@link Manifest#directories()}
 * @param smallFiles as {@link Manifest#smallFiles()}, the control file among them
 * @param files as {@link Manifest#files()}, all of incarnation 1
 * @param walPieces as {@link Manifest#walPieces()}
 * @param endLsn where its log ends
 */
public record StoppedCluster(
    Path directory,
    PgControl control,
    List<String> directories,
    List<Manifest.SmallFile> smallFiles,
    List<Manifest.BlockFile> files,
    List<Manifest.WalPiece> walPieces,
    Lsn endLsn) {

  /** Every file's incarnation. */
  public static final int FIRST_INCARNATION = 1;

  /** All small files together; a manifest is small by design. */
  static final long MAX_SMALL_BYTES = 16L << 20;

  /**
   * Walks a data directory.
   *
   * @throws EbbException.Invalid where it was not stopped cleanly, or has tablespaces
   * @throws EbbException.Corrupt where something a start needs is missing
   * @throws EbbException.Exhausted where the files that are no relations are too large
   */
  public static StoppedCluster read(Path dataDirectory) throws IOException {
    PgControl control = PgControl.read(dataDirectory);
    WalPages.CleanStop wal = WalPages.cleanStop(dataDirectory.resolve("pg_wal"), control);
    var walk = new Walk(dataDirectory);
    Files.walkFileTree(dataDirectory, walk);
    walk.directories.sort(Comparator.naturalOrder());
    walk.smallFiles.sort(Comparator.comparing(Manifest.SmallFile::path));
    walk.files.sort(Comparator.comparing(Manifest.BlockFile::key));
    var cluster =
        new StoppedCluster(
            dataDirectory,
            control,
            List.copyOf(walk.directories),
            List.copyOf(walk.smallFiles),
            List.copyOf(walk.files),
            wal.pieces(),
            wal.endLsn());
    SkeletonCheck.check(dataDirectory, cluster.files(), List.of());
    return cluster;
  }

  /** {@code count} whole blocks of a file. */
  public byte[] readBlocks(FileKey file, int firstBlock, int count) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(Math.multiplyExact(count, FileKey.BLOCK_BYTES));
    try (var channel = FileChannel.open(directory.resolve(file.path()), StandardOpenOption.READ)) {
      long start = (long) firstBlock * FileKey.BLOCK_BYTES;
      while (bytes.hasRemaining()) {
        if (channel.read(bytes, start + bytes.position()) < 0) {
          throw new EOFException(file + " ends before block " + (firstBlock + count));
        }
      }
    }
    return bytes.array();
  }

  private static final class Walk extends SimpleFileVisitor<Path> {
    private final Path root;
    private final List<String> directories = new ArrayList<>();
    private final List<Manifest.SmallFile> smallFiles = new ArrayList<>();
    private final List<Manifest.BlockFile> files = new ArrayList<>();
    private long smallBytes;

    Walk(Path root) {
      this.root = root;
    }

    @Override
    public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes attributes) {
      if (!directory.equals(root)) {
        String path = root.relativize(directory).toString();
        if (!DataFiles.keepsDirectory(path)) {
          return FileVisitResult.SKIP_SUBTREE;
        }
        directories.add(path);
      }
      return FileVisitResult.CONTINUE;
    }

    @Override
    public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
      String path = root.relativize(file).toString();
      if (!attributes.isRegularFile()) {
        throw new EbbException.Invalid(
            path + " is not an ordinary file: tablespaces elsewhere cannot be kept");
      }
      switch (DataFiles.of(path)) {
        case LEFT_OUT -> {}
        case WHOLE -> {
          smallBytes += attributes.size();
          if (smallBytes > MAX_SMALL_BYTES) {
            throw new EbbException.Exhausted(
                "the files that are not relations exceed "
                    + (MAX_SMALL_BYTES >> 20)
                    + " MB; the last one read was "
                    + path);
          }
          smallFiles.add(new Manifest.SmallFile(path, Files.readAllBytes(file)));
        }
        case BLOCKS -> {
          FileKey key = FileKey.parse(path).orElseThrow();
          // A part of a block at the end is no block: md.c ignores it as well.
          int blocks = (int) (attributes.size() / FileKey.BLOCK_BYTES);
          files.add(new Manifest.BlockFile(key, FIRST_INCARNATION, blocks));
        }
      }
      return FileVisitResult.CONTINUE;
    }
  }
}
