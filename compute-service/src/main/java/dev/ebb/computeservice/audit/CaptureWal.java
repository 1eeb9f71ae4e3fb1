package dev.ebb.computeservice.audit;

import dev.ebb.computeservice.postgres.WalStream;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;

/**
 * A running compute's WAL: its own segments, and the log's durable bytes where those are gone
 * already ({@code wal_keep_size} bounds how many stay).
 */
final class CaptureWal implements WalStream.Source, AutoCloseable {
  private final Path directory;
  private final int segmentBytes;
  private final CaptureAudit.Log log;
  private @Nullable FileChannel open;
  private long openSegment = -1;

  CaptureWal(Path directory, int segmentBytes, CaptureAudit.Log log) {
    this.directory = directory;
    this.segmentBytes = segmentBytes;
    this.log = log;
  }

  @Override
  public void read(Lsn at, byte[] target, int offset, int length) throws IOException {
    int done = 0;
    while (done < length) {
      long position = at.value() + done;
      long segment = Long.divideUnsigned(position, segmentBytes);
      int inSegment = (int) Long.remainderUnsigned(position, segmentBytes);
      int part = Math.min(length - done, segmentBytes - inSegment);
      FileChannel channel = channel(segment);
      if (channel == null) {
        part = readLog(position, target, offset + done, part);
      } else {
        readFully(channel, inSegment, ByteBuffer.wrap(target, offset + done, part));
      }
      done += part;
    }
  }

  private int readLog(long position, byte[] target, int offset, int length) {
    byte[] bytes = log.read(new Lsn(position), new Lsn(position + length));
    if (bytes.length == 0) {
      throw new EbbException.Unavailable(
          "the WAL at " + new Lsn(position) + " is neither in pg_wal nor in the log");
    }
    int part = Math.min(length, bytes.length);
    System.arraycopy(bytes, 0, target, offset, part);
    return part;
  }

  private static void readFully(FileChannel channel, long at, ByteBuffer target)
      throws IOException {
    int begin = target.position();
    while (target.hasRemaining()) {
      if (channel.read(target, at + target.position() - begin) < 0) {
        throw new IOException("a WAL segment ends at " + (at + target.position() - begin));
      }
    }
  }

  private @Nullable FileChannel channel(long segment) throws IOException {
    if (open != null && segment == openSegment) {
      return open;
    }
    close();
    Path file =
        directory.resolve(WalFormat.fileName(1, new Lsn(segment * segmentBytes), segmentBytes));
    try {
      open = FileChannel.open(file, StandardOpenOption.READ);
    } catch (NoSuchFileException e) {
      return null;
    }
    openSegment = segment;
    return open;
  }

  @Override
  public void close() throws IOException {
    if (open != null) {
      open.close();
      open = null;
    }
  }
}
