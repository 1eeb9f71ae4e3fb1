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
import me.tongfei.progressbar.ProgressBar;
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
    if (!isEmpty(to)) {
      throw new WalFailure(to + " is not empty: name another directory");
    }
    boolean whole = false;
    try {
      copyAll(logs, to);
      whole = true;
    } finally {
      if (!whole && !isEmpty(to)) {
        err().println("ebb: ended early: what is in " + to + " is not whole");
        err().flush();
      }
    }
    return 0;
  }

  private static boolean isEmpty(Path directory) throws IOException {
    try (DirectoryStream<Path> there = Files.newDirectoryStream(directory)) {
      return !there.iterator().hasNext();
    }
  }

  private void copyAll(BranchLogs logs, Path to) throws Exception {
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
      Lsn end = copy(wal, to, segmentBytes);
      long files =
          Long.divideUnsigned(end.value() - 1, segmentBytes)
              - Long.divideUnsigned(wal.first().value(), segmentBytes)
              + 1;
      out().printf("%s to %s in %d files of %s%n", wal.first(), end, files, to.toAbsolutePath());
    }
  }

  private Lsn copy(BranchWal wal, Path to, int segmentBytes) throws IOException {
    var buffer = new byte[BUFFER_BYTES];
    Lsn at = wal.first();
    Lsn highest = at;
    try (ProgressBar bar = bar(wal)) {
      do {
        Lsn revised = wal.revised();
        if (revised.isValid() && revised.isBefore(at)) {
          highest = Lsn.max(highest, at);
          at = revised;
        }
        while (at.isBefore(wal.end())) {
          endIfInterrupted();
          int left = (int) (segmentBytes - Long.remainderUnsigned(at.value(), segmentBytes));
          int bytes = wal.read(at, buffer, 0, Math.min(left, buffer.length));
          write(to, segmentBytes, at, buffer, bytes);
          at = at.plus(bytes);
        }
        wal.drop(at);
        if (bar != null) {
          bar.stepTo(wal.done());
        }
      } while (wal.pull());
    }
    cut(to, segmentBytes, wal.end(), highest);
    return wal.end();
  }

  /** Takes away what lies behind the end: a later generation overrode more than it wrote. */
  private static void cut(Path to, int segmentBytes, Lsn end, Lsn highest) throws IOException {
    if (!end.isBefore(highest)) {
      return;
    }
    long length = Long.remainderUnsigned(end.value(), segmentBytes);
    if (length > 0) {
      Path file = to.resolve(WalFormat.fileName(TIMELINE, end, segmentBytes));
      try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
        channel.truncate(length);
        channel.write(ByteBuffer.wrap(new byte[1]), segmentBytes - 1L);
      }
    }
    Lsn segment = length == 0 ? end : end.plus(segmentBytes - length);
    for (; segment.isBefore(highest); segment = segment.plus(segmentBytes)) {
      Files.deleteIfExists(to.resolve(WalFormat.fileName(TIMELINE, segment, segmentBytes)));
    }
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
