package dev.ebb.computeservice.postgres;

import dev.ebb.shared.model.Lsn;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;

/** Bytes out of the segment files of a {@code pg_wal}; keeps one file open. */
public final class WalFiles implements WalStream.Source, AutoCloseable {
  private final Path directory;
  private final WalSegments segments;
  private final int timeline;
  private @Nullable FileChannel open;
  private Lsn openSegment = Lsn.INVALID;

  WalFiles(Path directory, WalSegments segments, int timeline) {
    this.directory = directory;
    this.segments = segments;
    this.timeline = timeline;
  }

  /** Those of a directory. */
  public static WalFiles in(Path directory, int segmentBytes, int timeline) {
    return new WalFiles(directory, new WalSegments(segmentBytes), timeline);
  }

  @Override
  public void read(Lsn at, byte[] target, int offset, int length) throws IOException {
    ByteBuffer rest = ByteBuffer.wrap(target, offset, length);
    while (rest.hasRemaining()) {
      Lsn position = at.plus(rest.position() - offset);
      int inSegment = segments.offsetInSegment(position);
      FileChannel channel = channel(segments.segmentStart(position));
      rest.limit(Math.min(offset + length, rest.position() + segments.segmentBytes() - inSegment));
      if (channel == null || channel.read(rest, inSegment) < 0) {
        throw new IOException("there is no WAL at " + position + " in " + directory);
      }
      rest.limit(offset + length);
    }
  }

  /** A whole page; null where there is none. */
  public byte @Nullable [] page(Lsn start) throws IOException {
    FileChannel channel = channel(segments.segmentStart(start));
    if (channel == null) {
      return null;
    }
    ByteBuffer page = ByteBuffer.allocate(WalSegments.PAGE_BYTES);
    int offset = segments.offsetInSegment(start);
    while (page.hasRemaining()) {
      if (channel.read(page, offset + page.position()) < 0) {
        return null;
      }
    }
    return page.array();
  }

  private @Nullable FileChannel channel(Lsn segment) throws IOException {
    if (open == null || !segment.equals(openSegment)) {
      close();
      Path file = directory.resolve(segments.fileName(timeline, segment));
      if (!Files.exists(file)) {
        return null;
      }
      open = FileChannel.open(file, StandardOpenOption.READ);
      openSegment = segment;
    }
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
