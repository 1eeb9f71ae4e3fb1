package dev.ebb.walservice.send;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.walservice.log.History;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * WAL that was read and not sent yet, in an unnamed temporary file: no sender takes heap for what a
 * slow standby or a huge record leaves here. One thread, which must not be interrupted: that would
 * close the file.
 */
final class Spool implements History, AutoCloseable {
  /** So many bytes at the front may be of no use any more before the rest moves there. */
  private static final long WASTED_BYTES = 16 << 20;

  private static final int COPIED_AT_ONCE = 1 << 20;

  private final FileChannel file;
  private Lsn origin = Lsn.INVALID;
  private Lsn end = Lsn.INVALID;

  Spool(Path directory) {
    try {
      Files.createDirectories(directory);
      Path path = Files.createTempFile(directory, "wal-", ".send");
      this.file =
          FileChannel.open(
              path,
              StandardOpenOption.READ,
              StandardOpenOption.WRITE,
              StandardOpenOption.DELETE_ON_CLOSE);
    } catch (IOException e) {
      throw new EbbException.Unavailable("no file for WAL can be made in " + directory, e);
    }
  }

  /** Empties it. */
  void clear() {
    origin = Lsn.INVALID;
    end = Lsn.INVALID;
    try {
      file.truncate(0);
    } catch (IOException e) {
      throw new EbbException.Unavailable("WAL cannot be kept: " + e.getMessage(), e);
    }
  }

  @Override
  public Lsn keptFrom() {
    return origin;
  }

  @Override
  public void write(Lsn at, byte[] bytes, int offset, int length) {
    if (!origin.isValid() || at.isBefore(origin)) {
      clear();
      origin = at;
    }
    try {
      ByteBuffer buffer = ByteBuffer.wrap(bytes, offset, length);
      long position = at.minus(origin);
      while (buffer.hasRemaining()) {
        position += file.write(buffer, position);
      }
      end = Lsn.max(end, at.plus(length));
    } catch (IOException e) {
      throw new EbbException.Unavailable("WAL cannot be kept: " + e.getMessage(), e);
    }
  }

  @Override
  public void read(Lsn at, byte[] into, int offset, int length) {
    try {
      readFully(ByteBuffer.wrap(into, offset, length), at.minus(origin));
    } catch (IOException e) {
      throw new EbbException.Unavailable("WAL cannot be read back: " + e.getMessage(), e);
    }
  }

  private void readFully(ByteBuffer buffer, long from) throws IOException {
    long position = from;
    while (buffer.hasRemaining()) {
      int read = file.read(buffer, position);
      if (read < 0) {
        throw new IllegalStateException("WAL was not written at byte " + position);
      }
      position += read;
    }
  }

  /** What lies before is not read any more; its room is taken back now and then. */
  void dropBefore(Lsn lsn) {
    if (!origin.isValid() || lsn.minus(origin) < WASTED_BYTES || end.minus(lsn) > WASTED_BYTES) {
      return;
    }
    try {
      long from = lsn.minus(origin);
      long length = end.minus(lsn);
      var buffer = ByteBuffer.allocate((int) Math.min(COPIED_AT_ONCE, Math.max(length, 1)));
      for (long done = 0; done < length; done += buffer.limit()) {
        buffer.clear().limit((int) Math.min(buffer.capacity(), length - done));
        readFully(buffer, from + done);
        buffer.flip();
        long to = done;
        while (buffer.hasRemaining()) {
          to += file.write(buffer, to);
        }
      }
      file.truncate(length);
      origin = lsn;
    } catch (IOException e) {
      throw new EbbException.Unavailable("WAL cannot be kept: " + e.getMessage(), e);
    }
  }

  @Override
  public void close() {
    try {
      file.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
