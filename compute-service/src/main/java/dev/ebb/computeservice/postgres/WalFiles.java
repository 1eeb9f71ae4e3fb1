package dev.ebb.computeservice.postgres;

import dev.ebb.shared.model.Lsn;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;

/** Pages out of the segment files of a {@code pg_wal}; keeps one file open. */
final class WalFiles implements WalRecords.Pages, AutoCloseable {
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

  @Override
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
