package dev.ebb.computeservice.audit;

import dev.ebb.computeservice.postgres.WalStream;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
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

  /** What was last read of the log, and from where on. */
  private byte[] logged = new byte[0];

  private long loggedFrom;

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
    long inLogged = position - loggedFrom;
    if (inLogged < 0 || inLogged >= logged.length) {
      // To the segment's end, not only what was asked for: each question to the log is a message,
      // and has it look for its own end.
      long end = (position / segmentBytes + 1) * segmentBytes;
      logged = log.read(new Lsn(position), new Lsn(end));
      loggedFrom = position;
      inLogged = 0;
    }
    if (logged.length == 0) {
      throw new EbbException.Unavailable(
          "the WAL at " + new Lsn(position) + " is neither in pg_wal nor in the log");
    }
    int part = (int) Math.min(length, logged.length - inLogged);
    System.arraycopy(logged, (int) inLogged, target, offset, part);
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
    long perId = 0x1_0000_0000L / segmentBytes;
    Path file =
        directory.resolve(String.format("%08X%08X%08X", 1, segment / perId, segment % perId));
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
