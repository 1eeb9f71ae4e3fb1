package dev.ebb.computeservice.postgres;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.wal.ResourceManager;
import dev.ebb.shared.wal.WalException;
import dev.ebb.shared.wal.WalFormat;
import dev.ebb.shared.wal.WalOptions;
import dev.ebb.shared.wal.WalReader;
import dev.ebb.shared.wal.WalRecord;
import dev.ebb.shared.wal.WalVersion;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * WAL in {@code pg_wal}: what of it a clean start reads, how it is laid for a start. Sources:
 * {@code src/include/access/xlog_internal.h}, {@code src/backend/access/transam/xlogreader.c},
 * {@code xlogrecovery.c}.
 *
 * <p>Of a segment PostgreSQL reads and checks the first page's header whenever it reads any other
 * page of it; of the page where it begins, the header and what lies behind its starting point.
 */
public final class WalPages {
  private static final int CHECKPOINT_SHUTDOWN = 0x00;

  private WalPages() {}

  /**
   * The WAL that a start after a clean stop reads.
   *
   * @param pieces whole pages: the first of the checkpoint's segment and those of its record; what
   *     lies behind {@code endLsn} is zeroes
   * @param endLsn where the checkpoint record, and with it the log, ends
   */
  public record CleanStop(List<Manifest.WalPiece> pieces, Lsn endLsn) {}

  /**
   * Reads the pieces of a cleanly stopped cluster.
   *
   * @throws EbbException.Invalid where the control file says that it was not stopped cleanly
   * @throws EbbException.Corrupt where the control file's checkpoint record is not there, or not
   *     intact
   */
  public static CleanStop cleanStop(Path walDirectory, PgControl control) throws IOException {
    if (!control.stoppedCleanly()) {
      throw new EbbException.Invalid("the cluster was not stopped cleanly: " + control.state());
    }
    var segments = new WalSegments(control.walSegmentBytes());
    try (var files = new WalFiles(walDirectory, segments, control.timeline())) {
      Lsn end =
          shutdownCheckpoint(files, control)
              .orElseThrow(() ->
                  new EbbException.Corrupt(
                      "no intact shutdown checkpoint at "
                          + control.checkpoint()
                          + ", where pg_control says"));
      var wanted = new TreeSet<Lsn>();
      wanted.add(segments.segmentStart(control.checkpoint()));
      Lsn page = WalFormat.pageStart(control.checkpoint());
      for (; page.isBefore(end); page = page.plus(WalFormat.PAGE_BYTES)) {
        wanted.add(page);
      }
      return new CleanStop(pieces(files, wanted, end, control.major()), end);
    }
  }

  /** Where the record ends; empty where none of its kind, or no intact one, is there. */
  private static Optional<Lsn> shutdownCheckpoint(WalFiles files, PgControl control)
      throws IOException {
    try {
      var reader =
          WalReader.atRecord(
              WalOptions.ofSegments(control.walSegmentBytes()).with(control.major()).ofFrames(),
              control.checkpoint());
      while (true) {
        switch (reader.next()) {
          case RECORD -> {
            WalRecord record = reader.record();
            boolean isCheckpoint =
                record.resourceManager() == ResourceManager.XLOG.id()
                    && record.operation() == CHECKPOINT_SHUTDOWN;
            return isCheckpoint ? Optional.of(record.end()) : Optional.empty();
          }
          case ZEROES -> {
            return Optional.empty();
          }
          case MORE -> {
            Lsn wanted = reader.wanted();
            byte @Nullable [] page = files.page(WalFormat.pageStart(wanted));
            if (page == null) {
              return Optional.empty();
            }
            int from = WalFormat.offsetInPage(wanted);
            reader.feed(page, from, page.length - from);
          }
        }
      }
    } catch (IllegalArgumentException | WalException e) {
      return Optional.empty();
    }
  }

  private static List<Manifest.WalPiece> pieces(
      WalFiles files, Iterable<Lsn> pageStarts, Lsn endLsn, WalVersion version) throws IOException {
    var pieces = new ArrayList<Manifest.WalPiece>();
    @Nullable Lsn start = null;
    var bytes = new ByteArrayOutputStream();
    for (Lsn pageStart : pageStarts) {
      byte @Nullable [] page = files.page(pageStart);
      if (page == null || !WalPageHeader.isOf(page, pageStart, version)) {
        throw new EbbException.Corrupt("no intact WAL page at " + pageStart);
      }
      if (start != null && !start.plus(bytes.size()).equals(pageStart)) {
        pieces.add(new Manifest.WalPiece(start, bytes.toByteArray()));
        bytes.reset();
        start = null;
      }
      if (start == null) {
        start = pageStart;
      }
      long used = endLsn.minus(pageStart);
      if (used < page.length) {
        Arrays.fill(page, (int) Math.max(0, used), page.length, (byte) 0);
      }
      bytes.writeBytes(page);
    }
    if (start != null) {
      pieces.add(new Manifest.WalPiece(start, bytes.toByteArray()));
    }
    return List.copyOf(pieces);
  }

  /**
   * Writes sparse segment files of full size that hold the pieces, with the system identifier of
   * {@code control} in their long page headers.
   *
   * @param walDirectory {@code pg_wal}, which exists
   * @param control as it will be on disk: its system identifier, segment size and timeline count
   * @param user who will own the files
   */
  public static void layInto(
      Path walDirectory, List<Manifest.WalPiece> pieces, PgControl control, OsUser user)
      throws IOException {
    for (Manifest.WalPiece piece : pieces) {
      try (var layer = WalLayer.overwriting(walDirectory, piece.start(), control, user)) {
        layer.append(piece.bytes(), 0, piece.bytes().length);
      }
    }
  }

  /**
   * Opens a writer of the contiguous log from {@code from} on, into the segments that {@link
   * #layInto} made or new ones. Whatever was at or behind {@code from} is gone. Pages before it
   * keep what the pieces put there; where that is nothing they get a header, which is all that
   * PostgreSQL reads of them.
   */
  public static WalLayer layLog(Path walDirectory, Lsn from, PgControl control, OsUser user)
      throws IOException {
    return WalLayer.replacing(walDirectory, from, control, user);
  }
}
