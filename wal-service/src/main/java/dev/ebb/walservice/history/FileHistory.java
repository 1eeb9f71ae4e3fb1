package dev.ebb.walservice.history;

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
 * A history in an unnamed temporary file, so that a long one does not take the heap. Gone when
 * closed, and with the process. One thread at a time, which must not be interrupted: that would
 * close the file.
 */
public final class FileHistory implements History, AutoCloseable {
  /** So many bytes at the front may be of no use any more before the rest moves there. */
  private static final long WASTED_BYTES = 16 << 20;

  private static final int COPIED_AT_ONCE = 1 << 20;

  private final FileChannel file;

  /** Of the file's first byte; invalid where the first write is to tell. */
  private Lsn origin;

  private Lsn end = Lsn.INVALID;

  /**
   * An empty one.
   *
   * @param keptFrom what lies before is not kept; {@code Lsn.INVALID} where what is written first
   *     tells
   */
  public FileHistory(Path directory, Lsn keptFrom) {
    this.origin = keptFrom;
    try {
      Files.createDirectories(directory);
      Path path = Files.createTempFile(directory, "wal-", ".history");
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

  /** Empties it; what is written next tells where it begins. */
  public void clear() {
    origin = Lsn.INVALID;
    end = Lsn.INVALID;
    try {
      file.truncate(0);
    } catch (IOException e) {
      throw unkept(e);
    }
  }

  private static EbbException.Unavailable unkept(IOException e) {
    return new EbbException.Unavailable("WAL cannot be kept: " + e.getMessage(), e);
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
    ByteBuffer buffer = ByteBuffer.wrap(bytes, offset, length);
    long position = at.minus(origin);
    try {
      while (buffer.hasRemaining()) {
        position += file.write(buffer, position);
      }
    } catch (IOException e) {
      throw unkept(e);
    }
    end = Lsn.max(end, at.plus(length));
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
        throw new IllegalStateException("WAL at " + origin.plus(position) + " was not written");
      }
      position += read;
    }
  }

  /** What lies before is not read any more; its room is taken back now and then. */
  public void dropBefore(Lsn lsn) {
    if (!origin.isValid() || lsn.minus(origin) < WASTED_BYTES || end.minus(lsn) > WASTED_BYTES) {
      return;
    }
    try {
      long from = lsn.minus(origin);
      long length = Math.max(0, end.minus(lsn));
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
      throw unkept(e);
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
