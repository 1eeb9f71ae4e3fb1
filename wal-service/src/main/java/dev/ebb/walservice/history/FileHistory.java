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
 * closed, and with the process.
 */
final class FileHistory implements History, AutoCloseable {
  private final Lsn keptFrom;
  private final FileChannel file;

  FileHistory(Path directory, Lsn keptFrom) {
    this.keptFrom = keptFrom;
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

  @Override
  public Lsn keptFrom() {
    return keptFrom;
  }

  @Override
  public void write(Lsn at, byte[] bytes, int offset, int length) {
    ByteBuffer buffer = ByteBuffer.wrap(bytes, offset, length);
    long position = at.minus(keptFrom);
    try {
      while (buffer.hasRemaining()) {
        position += file.write(buffer, position);
      }
    } catch (IOException e) {
      throw new EbbException.Unavailable("WAL cannot be kept: " + e.getMessage(), e);
    }
  }

  @Override
  public void read(Lsn at, byte[] into, int offset, int length) {
    ByteBuffer buffer = ByteBuffer.wrap(into, offset, length);
    long position = at.minus(keptFrom);
    try {
      while (buffer.hasRemaining()) {
        int read = file.read(buffer, position);
        if (read < 0) {
          throw new IllegalStateException("WAL at " + at + " was not written");
        }
        position += read;
      }
    } catch (IOException e) {
      throw new EbbException.Unavailable("WAL cannot be read back: " + e.getMessage(), e);
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
