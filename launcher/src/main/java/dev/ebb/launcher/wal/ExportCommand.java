package dev.ebb.launcher.wal;

import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.wal.WalFormat;
import dev.ebb.walservice.history.BranchWal;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code ebb wal export}. */
@Command(
    name = "export",
    description = {
      "Write a branch's WAL as segment files, which pg_waldump and PostgreSQL read.",
      "What the log does not have of the first and the last segment is zeroes."
    },
    footer = {"", "Example: ./ebb wal export shop --to shop-wal"})
final class ExportCommand extends WalTool {
  private static final int BUFFER_BYTES = 1 << 20;
  private static final int TIMELINE = 1;

  @Option(
      names = "--to",
      paramLabel = "DIR",
      required = true,
      description = "An empty directory, or one to be made.")
  private @Nullable Path directory;

  @Override
  int run(BranchLogs logs) throws Exception {
    Path to = directory == null ? Path.of(".") : directory;
    Files.createDirectories(to);
    try (DirectoryStream<Path> there = Files.newDirectoryStream(to)) {
      if (there.iterator().hasNext()) {
        throw new WalFailure(to + " is not empty: name another directory");
      }
    }
    int segmentBytes = logs.newest().walSegmentBytes();
    try (BranchWal wal = logs.open(Lsn.INVALID)) {
      // A start's first segment begins in the snapshot that it was made from.
      for (Manifest snapshot : logs.snapshots()) {
        for (Manifest.WalPiece piece : snapshot.walPieces()) {
          if (isBesideTheFirst(piece, wal.first(), segmentBytes)) {
            write(to, segmentBytes, piece.start(), piece.bytes(), piece.bytes().length);
          }
        }
      }
      var buffer = new byte[BUFFER_BYTES];
      Lsn at = wal.first();
      int files = 0;
      while (at.isBefore(wal.end())) {
        int left = (int) (segmentBytes - Long.remainderUnsigned(at.value(), segmentBytes));
        int bytes = wal.read(at, buffer, 0, Math.min(left, buffer.length));
        files += left == segmentBytes || files == 0 ? 1 : 0;
        write(to, segmentBytes, at, buffer, bytes);
        at = at.plus(bytes);
      }
      out()
          .printf(
              "%s to %s in %d files of %s%n", wal.first(), wal.end(), files, to.toAbsolutePath());
    }
    return 0;
  }

  private static boolean isBesideTheFirst(Manifest.WalPiece piece, Lsn first, int segmentBytes) {
    return piece.start().isBefore(first)
        && piece.start().value() / segmentBytes == first.value() / segmentBytes;
  }

  private static void write(Path to, int segmentBytes, Lsn at, byte[] bytes, int length)
      throws IOException {
    Path file = to.resolve(WalFormat.fileName(TIMELINE, at, segmentBytes));
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      if (channel.size() < segmentBytes) {
        channel.write(ByteBuffer.wrap(new byte[1]), segmentBytes - 1L);
      }
      var buffer = ByteBuffer.wrap(bytes, 0, length);
      long position = Long.remainderUnsigned(at.value(), segmentBytes);
      while (buffer.hasRemaining()) {
        position += channel.write(buffer, position);
      }
    }
  }
}
