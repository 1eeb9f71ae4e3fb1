package dev.ebb.computeservice.postgres;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a process writes to standard error: to a file, to Ebb's own log, and the newest lines for
 * error messages. Bounded in every direction: a line, the lines kept, the file.
 */
final class ProcessLog {
  static final int MAX_KEPT_LINES = 50;
  static final int MAX_LINE_BYTES = 4096;

  /** The file is renamed to {@code *.old} beyond this, so that at most twice as much is kept. */
  static final long MAX_FILE_BYTES = 16L << 20;

  private static final Logger LOG = LoggerFactory.getLogger("dev.ebb.computeservice.postgres.log");

  private final Path file;
  private final String label;
  private final ArrayDeque<String> newest = new ArrayDeque<>();

  ProcessLog(Path file, String label) {
    this.file = file;
    this.label = label;
  }

  /** Reads until the end of the stream. A file that cannot be written does not stop it. */
  void consume(InputStream stream) {
    try (var in = new BufferedInputStream(stream)) {
      byte[] line = new byte[MAX_LINE_BYTES];
      int length = 0;
      try (var out = new RotatedFile(file)) {
        for (int b = in.read(); b >= 0; b = in.read()) {
          if (b == '\n') {
            take(line, length, out);
            length = 0;
          } else if (length < line.length) {
            line[length++] = (byte) b;
          }
        }
        if (length > 0) {
          take(line, length, out);
        }
      }
    } catch (IOException e) {
      LOG.debug("[{}] the log ended: {}", label, e.toString());
    }
  }

  private void take(byte[] line, int length, RotatedFile out) {
    out.write(line, length);
    String text = new String(line, 0, length, StandardCharsets.UTF_8);
    synchronized (newest) {
      if (newest.size() == MAX_KEPT_LINES) {
        newest.removeFirst();
      }
      newest.addLast(text);
    }
    LOG.info("[{}] {}", label, text);
  }

  /** Oldest first. */
  List<String> newest() {
    synchronized (newest) {
      return List.copyOf(newest);
    }
  }

  private static final class RotatedFile implements AutoCloseable {
    private final Path path;
    private OutputStream out = OutputStream.nullOutputStream();
    private long written;

    RotatedFile(Path path) {
      this.path = path;
      open();
    }

    private void open() {
      try {
        out = Files.newOutputStream(path, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        written = Files.size(path);
      } catch (IOException e) {
        LOG.warn("cannot write {}: {}", path, e.toString());
        out = OutputStream.nullOutputStream();
      }
    }

    void write(byte[] line, int length) {
      try {
        byte[] whole = new byte[length + 1];
        System.arraycopy(line, 0, whole, 0, length);
        whole[length] = '\n';
        out.write(whole);
        written += whole.length;
        if (written > MAX_FILE_BYTES) {
          out.close();
          Files.move(
              path,
              path.resolveSibling(path.getFileName() + ".old"),
              StandardCopyOption.REPLACE_EXISTING);
          open();
        }
      } catch (IOException e) {
        LOG.warn("cannot write {}: {}", path, e.toString());
        out = OutputStream.nullOutputStream();
      }
    }

    @Override
    public void close() throws IOException {
      out.close();
    }
  }
}
