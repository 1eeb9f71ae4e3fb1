package dev.ebb.computeservice.postgres;

import dev.ebb.shared.model.Lsn;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.jspecify.annotations.Nullable;

/**
 * Writes a contiguous range of WAL into segment files of full size, chunk by chunk, and puts the
 * cluster's own system identifier into the long page headers that pass by.
 */
public final class WalLayer implements AutoCloseable {
  private final Path directory;
  private final WalSegments segments;
  private final PgControl control;
  private final OsUser user;
  private final boolean replace;
  private final byte[] identifier;
  private Lsn position;
  private @Nullable RandomAccessFile open;

  private WalLayer(Path directory, Lsn from, PgControl control, OsUser user, boolean replace) {
    this.directory = directory;
    this.segments = new WalSegments(control.walSegmentBytes());
    this.control = control;
    this.user = user;
    this.replace = replace;
    this.position = from;
    this.identifier =
        ByteBuffer.allocate(8)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putLong(control.systemIdentifier())
            .array();
  }

  /** Leaves alone what it does not write. */
  static WalLayer overwriting(Path directory, Lsn from, PgControl control, OsUser user) {
    return new WalLayer(directory, from, control, user, false);
  }

  /** Makes the log end where it stops. */
  static WalLayer replacing(Path directory, Lsn from, PgControl control, OsUser user)
      throws IOException {
    var layer = new WalLayer(directory, from, control, user, true);
    if (layer.segments.offsetInSegment(from) != 0) {
      layer.open = layer.openSegment();
      layer.cutAt(from, layer.open);
    }
    return layer;
  }

  /** Where the next byte goes. */
  public Lsn position() {
    return position;
  }

  /** Writes the next bytes of the log. */
  public void append(byte[] bytes, int offset, int length) throws IOException {
    int done = 0;
    while (done < length) {
      int inSegment = segments.offsetInSegment(position);
      if (open == null) {
        open = openSegment();
      }
      int part = Math.min(length - done, segments.segmentBytes() - inSegment);
      open.seek(inSegment);
      open.write(bytes, offset + done, part);
      putIdentifier(inSegment, part, open);
      done += part;
      position = position.plus(part);
      if (segments.offsetInSegment(position) == 0) {
        closeSegment();
      }
    }
  }

  /** Ends the log here and returns the position. The rest of the last segment is zeroes already. */
  public Lsn finish() throws IOException {
    closeSegment();
    return position;
  }

  @Override
  public void close() throws IOException {
    closeSegment();
  }

  private void closeSegment() throws IOException {
    if (open != null) {
      open.close();
      open = null;
    }
  }

  private RandomAccessFile openSegment() throws IOException {
    Path path = directory.resolve(segments.fileName(control.timeline(), position));
    boolean isNew = !Files.exists(path);
    var file = new RandomAccessFile(path.toFile(), "rw");
    if (isNew) {
      Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
      user.own(path);
    } else if (replace && segments.offsetInSegment(position) == 0) {
      file.setLength(0);
    }
    // Sparse: only what is written takes room.
    file.setLength(segments.segmentBytes());
    return file;
  }

  /**
   * Forgets what lies behind {@code from} in its segment and makes what lies before it readable.
   */
  private void cutAt(Lsn from, RandomAccessFile file) throws IOException {
    file.setLength(segments.offsetInSegment(from));
    file.setLength(segments.segmentBytes());
    putHeaderIfMissing(segments.segmentStart(from), file);
    Lsn page = WalSegments.pageStart(from);
    if (!page.equals(from)) {
      putHeaderIfMissing(page, file);
    }
  }

  private void putHeaderIfMissing(Lsn pageStart, RandomAccessFile file) throws IOException {
    byte[] header = new byte[segments.headerBytes(pageStart)];
    file.seek(segments.offsetInSegment(pageStart));
    file.readFully(header);
    if (!WalPageHeader.isOf(header, pageStart, control.major())) {
      file.seek(segments.offsetInSegment(pageStart));
      file.write(WalPageHeader.synthesised(pageStart, segments, control));
    }
  }

  private void putIdentifier(int from, int length, RandomAccessFile file) throws IOException {
    int start = Math.max(from, WalPageHeader.SYSTEM_IDENTIFIER);
    int end = Math.min(from + length, WalPageHeader.SYSTEM_IDENTIFIER + identifier.length);
    if (start < end) {
      file.seek(start);
      file.write(identifier, start - WalPageHeader.SYSTEM_IDENTIFIER, end - start);
    }
  }
}
